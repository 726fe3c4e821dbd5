"""How far running requests are, for clients that show it.

A client chooses an id, sends it as `X-Progress-Id` with its request for predictions, and asks `GET /v1/progress/ID`
while it waits. Nothing is kept of a request that has ended, and nothing in here says what was said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEADER = "x-progress-id"
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""Long enough that nobody guesses another client's."""


class Course:
    """How far one request is; told from any thread."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._now: tuple[str, str | None, int, int] = ("receiving", None, 0, 0)

    def waiting(self) -> None:
        """It waits for a process that decodes."""
        self._now = ("waiting", None, 0, 0)

    def decoding(self, modality: str, done: int, total: int) -> None:
        """This modality is made for so many of its utterances."""
        self._now = ("decoding", modality, done, total)

    def predicting(self) -> None:
        """It is with the model, or will be next."""
        self._now = ("predicting", None, 0, 0)

    def told(self) -> dict[str, object]:
        """The JSON of an answer."""
        stage, modality, done, total = self._now
        seconds = round(time.monotonic() - self._begun, 3)
        return {"stage": stage, "modality": modality, "done": done, "total": total, "seconds": seconds}


class Courses:
    """The courses of the requests that are running and can be asked about; no more than requests may run."""

    def __init__(self) -> None:
        self._running: dict[str, Course] = {}

    @contextmanager
    def begun(self, id: str | None) -> Iterator[Course]:
        """The course of a request, found under its id until the end of the block.

        Args:
            id: What the client sent; one that is not 16 to 64 letters, digits, - and _ is not remembered.
        """
        course = Course()
        if id is None or not _ID.fullmatch(id):
            yield course
            return
        self._running[id] = course  # of two with one id the later is found
        try:
            yield course
        finally:
            if self._running.get(id) is course:
                del self._running[id]

    def told(self, id: str) -> dict[str, object]:
        """How far a request is; the stage `unknown` where none with this id is running."""
        course = self._running.get(id)
        return (
            course.told() if course else {"stage": "unknown", "modality": None, "done": 0, "total": 0, "seconds": 0.0}
        )
