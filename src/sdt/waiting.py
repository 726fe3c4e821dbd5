"""Waits that Ctrl-C ends.

A wait without a limit goes on where the system does not interrupt it, as Windows, or where another thread of the
process was given the signal; so there is a limit, and one waits again.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

LIMIT = 1.0
"""Seconds of one wait."""

T = TypeVar("T")
F = TypeVar("F", bound=Future[Any])


def get(items: queue.SimpleQueue[T]) -> T:
    """The next item of a queue, once there is one."""
    while True:
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=LIMIT)


def as_completed(futures: Iterable[F]) -> Iterator[F]:
    """Futures in the order in which they end, by a result, an error or a cancellation; each once.

    What `concurrent.futures.as_completed` gives, with waits that Ctrl-C ends.
    """
    found: queue.SimpleQueue[F] = queue.SimpleQueue()
    waiting = list(futures)
    for future in waiting:
        future.add_done_callback(found.put)  # type: ignore[arg-type]  # of this very future
    for _ in waiting:
        yield get(found)


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from the processes that this thread starts in the block; the main process ends them.

    A terminal sends it to all processes; one that has only begun would end with a traceback of its imports.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
