"""Limits on concurrent requests and their memory, and functions that return freed memory to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from types import TracebackType

from sdt.serving.config import ServingConfig
from sdt.serving.errors import limit_exceeded, service_stopping

LARGE = 2**16
"""Minimum bytes of a body or message whose memory is returned to the system."""
UTTERANCE_BYTES = 4096
"""Bytes counted for an utterance from parsing to its response, without its features."""


class ConcurrencyLimiter:
    """Counts the running requests and refuses further ones at the limit, or while the service stops.

    Args:
        config: The limits.
    """

    def __init__(self, config: ServingConfig) -> None:
        self._config = config
        self.running = 0
        self.stopping = False

    def acquire(self) -> ConcurrencyLimiter:
        """A context manager that counts one request until the end of its block.

        Raises:
            APIError: Too many requests run, or the service is stopping.
        """
        if self.stopping:
            raise service_stopping()
        if self.running >= self._config.concurrent:
            raise limit_exceeded(self._config, "concurrent", "too many concurrent requests")
        return self

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *of_error: object) -> None:
        self.running -= 1


class MemoryBudget:
    """The bytes that all requests and messages hold; thread-safe."""

    def __init__(self, config: ServingConfig) -> None:
        self._most, self._lock = config.held_bytes, threading.Lock()
        self.bytes = 0

    @property
    def exceeded(self) -> bool:
        """Whether the limit is exceeded."""
        return self.bytes > self._most

    def add(self, count: int) -> None:
        """Add bytes, or remove them if `count` is negative."""
        with self._lock:
            self.bytes += count


class RequestUsage:
    """The resources used by one request; a context manager that releases its memory at the end of the block.

    Args:
        config: The limits.
        budget: The budget that its memory counts towards.
    """

    def __init__(self, config: ServingConfig, budget: MemoryBudget) -> None:
        self._config, self._budget = config, budget
        self._bytes = self._utterances = self._files = 0

    def __enter__(self) -> RequestUsage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.add(-self._bytes)

    def add(self, count: int) -> None:
        """Add bytes, or release them if `count` is negative.

        Raises:
            APIError: All requests together exceed the memory limit.
        """
        self._bytes += count
        self._budget.add(count)
        if count > 0 and self._budget.exceeded:
            raise limit_exceeded(self._config, "held_bytes", "the current requests use too much memory")

    def add_utterances(self, count: int) -> None:
        """Add utterances and their memory.

        Raises:
            APIError: The request has too many utterances, or see `add`.
        """
        self._utterances += count
        if self._utterances > self._config.request_utterances:
            raise limit_exceeded(self._config, "request_utterances", "the request has too many utterances")
        self.add(count * UTTERANCE_BYTES)

    def add_file(self) -> int:
        """Add a recording.

        Returns:
            Its number in the request, from 0.

        Raises:
            APIError: The request has too many recordings.
        """
        self._files += 1
        if self._files > self._config.files:
            raise limit_exceeded(self._config, "files", "the request has too many recordings")
        return self._files - 1


def freeze_objects() -> None:
    """Exclude all current objects from garbage collection, and collect later ones less often.

    PyTorch and the encoders create hundreds of thousands; a full collection takes 0.2 s and stops every thread. A large
    request creates a million objects, all without cycles; by default they start a full collection every 70,000.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def switch_threads_often() -> None:
    """Set the thread switch interval to 0.5 ms instead of 5 ms, so that the event loop waits less for busy threads.

    A request acquires the interpreter lock about ten times, and may wait that long for every busy thread each time.
    """
    sys.setswitchinterval(0.0005)


def unmap_large_blocks() -> None:
    """Make glibc return blocks of 1 MiB and more to the system as soon as they are freed.

    By default, glibc raises this threshold up to 32 MB with each such block that is freed. Large bodies and
    intermediate results are then allocated between small objects, and their memory is never returned.
    """
    if _MALLOPT is not None:
        _MALLOPT(_M_MMAP_THRESHOLD, 2**20)


def trim_memory() -> None:
    """Return freed memory between used blocks to the system; glibc keeps it otherwise."""
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)


_M_MMAP_THRESHOLD = -3
"""From glibc's malloc.h."""
_MALLOPT = getattr(ctypes.CDLL(None), "mallopt", None)
_MALLOC_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
