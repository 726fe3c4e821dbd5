"""Blocking waits that Ctrl-C interrupts, and starts of processes that do not receive it.

An unlimited wait is not interruptible on Windows, or if another thread of the process receives the signal. These
functions therefore wait repeatedly for a limited time.
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
"""The limit of one wait in seconds."""

T = TypeVar("T")
F = TypeVar("F", bound=Future[Any])


def get(items: queue.SimpleQueue[T]) -> T:
    """Wait for the next item of a queue."""
    while True:
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=LIMIT)


def as_completed(futures: Iterable[F]) -> Iterator[F]:
    """Yield futures in the order in which they finish, fail or are cancelled.

    Like `concurrent.futures.as_completed`, but Ctrl-C interrupts it.
    """
    found: queue.SimpleQueue[F] = queue.SimpleQueue()
    waiting = list(futures)
    for future in waiting:
        future.add_done_callback(found.put)  # type: ignore[arg-type]  # called with this future
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
