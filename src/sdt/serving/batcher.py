"""Conversations of requests that arrive together run together, and so do utterances of streams.

One thread computes. While it does, requests gather; when it is free, the first of them waits a few milliseconds for
others, no longer. What runs together is bounded by what attention costs: it pads all conversations to the longest.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sdt.errors import InputError

Asked = TypeVar("Asked", bound=Sized)
Answer = TypeVar("Answer")
Told = Callable[[int, int, float, float], None]
"""Called after a group with its conversations, utterances, the seconds its first one waited, and those of computing."""


@dataclass
class _Job(Generic[Asked, Answer]):
    asked: Asked
    answer: asyncio.Future[Answer | InputError]
    came: float = field(default_factory=time.monotonic)


class Batcher(Generic[Asked, Answer]):
    """Gathers conversations into groups and computes them, one group at a time, off the event loop.

    Args:
        compute: Computes a group: of each its answer, or why there is none.
        wait: Seconds that the first of a group waits for others.
        utterances: The most utterances of a group, counted with their padding; a longer conversation runs alone.
        told: Called after every group.
        thread: Where it is computed; batchers of one thread take turns.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Asked]], list[Answer | InputError]],
        wait: float,
        utterances: int,
        told: Told | None = None,
        *,
        thread: Executor,
    ) -> None:
        self._compute, self._wait, self._utterances, self._told = compute, wait, utterances, told
        self._jobs: deque[_Job[Asked, Answer]] = deque()
        self._came = asyncio.Event()
        self._thread = thread
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; from within the event loop."""
        self._task = asyncio.create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether it computes what comes."""
        return self._task is not None and not self._task.done()

    async def close(self) -> None:
        """End; what has not begun is given up."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for job in self._jobs:
            job.answer.cancel()

    async def predict(self, asked: Asked) -> Answer:
        """The answer for a conversation; cancelled, it is not computed unless it is about to be.

        Raises:
            InputError: There is nothing to predict on.
        """
        job: _Job[Asked, Answer] = _Job(asked, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._came.set()
        answer = await job.answer
        if isinstance(answer, InputError):
            raise answer
        return answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._gathered()
            group = self._group()
            if not group:
                continue
            begun = time.monotonic()
            try:
                answers = await loop.run_in_executor(self._thread, self._compute, [job.asked for job in group])
            except Exception as error:  # of a group that is not ours to mend; the next one may be well
                for job in group:
                    if not job.answer.done():
                        job.answer.set_exception(error)
                continue
            if self._told:
                size = sum(len(job.asked) for job in group)
                self._told(len(group), size, begun - group[0].came, time.monotonic() - begun)
            for job, answer in zip(group, answers, strict=True):
                if not job.answer.done():  # whoever asked may have gone
                    job.answer.set_result(answer)

    async def _gathered(self) -> None:
        """Wait until there is something to compute, and others have had their chance to come along."""
        while not self._jobs:
            self._came.clear()
            await self._came.wait()
        while not self._full():
            left = self._jobs[0].came + self._wait - time.monotonic()
            if left <= 0:
                return
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except TimeoutError:
                return

    def _full(self) -> bool:
        longest = max(len(job.asked) for job in self._jobs)
        return (len(self._jobs) + 1) * longest > self._utterances

    def _group(self) -> list[_Job[Asked, Answer]]:
        """The next group, in the order in which they came."""
        group: list[_Job[Asked, Answer]] = []
        longest = 0
        while self._jobs:
            job = self._jobs[0]
            longest = max(longest, len(job.asked))
            if group and (len(group) + 1) * longest > self._utterances:
                break
            self._jobs.popleft()
            if not job.answer.done():
                group.append(job)
        return group
