"""The memory that requests take: what each has counted for it, and all of them together."""

from __future__ import annotations

import ctypes
import gc
import threading
from types import TracebackType

from sdt.serving.refusals import beyond
from sdt.serving.settings import Settings

LARGE = 2**16
"""Bytes of a body or message whose memory is given back to the system."""
UTTERANCE_BYTES = 4096
"""What is counted for an utterance from its reading to its answer, beside its features."""


class MemoryBudget:
    """Bytes that are counted for requests and messages; whoever adds to them takes them away again."""

    def __init__(self, settings: Settings) -> None:
        self._most, self._lock = settings.held_bytes, threading.Lock()
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether it is more than there may be."""
        return self.bytes > self._most

    def add(self, count: int) -> None:
        """Count so many more, or fewer; from any thread."""
        with self._lock:
            self.bytes += count


class Usage:
    """What one request has taken of the limits; its memory is given back at the end of the block.

    Args:
        settings: The limits.
        budget: What its memory is counted in.
    """

    def __init__(self, settings: Settings, budget: MemoryBudget) -> None:
        self._settings, self._budget = settings, budget
        self._bytes = self._utterances = self._files = 0

    def __enter__(self) -> Usage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.add(-self._bytes)

    def add(self, count: int) -> None:
        """Take so many bytes more, or give them back.

        Raises:
            Refusal: All requests together take more than they may.
        """
        self._bytes += count
        self._budget.add(count)
        if count > 0 and self._budget.full:
            raise beyond(self._settings, "held_bytes", "the service holds as much as it may for requests")

    def add_utterances(self, count: int) -> None:
        """Take so many utterances more, and their memory.

        Raises:
            Refusal: There are too many of them in the request, or see `add`.
        """
        self._utterances += count
        if self._utterances > self._settings.request_utterances:
            raise beyond(self._settings, "request_utterances", "the request has too many utterances")
        self.add(count * UTTERANCE_BYTES)

    def add_file(self) -> int:
        """Take one more recording; its number, from 0.

        Raises:
            Refusal: There are too many.
        """
        self._files += 1
        if self._files > self._settings.files:
            raise beyond(self._settings, "files", "too many recordings in the request")
        return self._files - 1


def freeze() -> None:
    """Leave all objects that there are out of garbage collection, which would look at each of them again and again.

    Those of PyTorch and the encoders are hundreds of thousands; a full collection takes 0.2 s, and nothing else runs.
    """
    gc.collect()
    gc.freeze()


def give_back_at_once() -> None:
    """Give blocks of a megabyte and more back to the system when they are freed.

    glibc raises this size with each such block that is freed, up to 32 MB; then large bodies and the model's
    intermediate results lie among small objects, and what they have taken once is not given back.
    """
    if _OPTION is not None:
        _OPTION(_MMAP_THRESHOLD, 2**20)


def give_back() -> None:
    """Give freed memory back to the system; glibc keeps what lies between blocks that are in use."""
    if _TRIM is not None:
        _TRIM(0)


_MMAP_THRESHOLD = -3
"""`M_MMAP_THRESHOLD` of glibc's malloc.h."""
_OPTION = getattr(ctypes.CDLL(None), "mallopt", None)
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
