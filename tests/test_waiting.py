"""Waits end with what is waited for, and with Ctrl-C, whichever thread the system tells of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from sdt.waiting import as_completed, get, without_interrupts


def test_futures_come_as_they_end() -> None:
    first, second, third = futures = [Future[int]() for _ in range(3)]
    third.set_result(3)
    coming = as_completed(futures)
    assert next(coming) is third
    second.set_exception(ValueError())
    assert next(coming) is second
    first.cancel()
    assert next(coming) is first
    assert list(coming) == list(as_completed([])) == []


def test_a_wait_is_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.waiting.LIMIT", 0.01)
    items: SimpleQueue[str] = SimpleQueue()
    later = threading.Timer(0.2, items.put, ["here"])
    later.start()
    assert get(items) == "here"


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals are not told to threads here")
@pytest.mark.parametrize(
    "wait", [lambda future: list(as_completed([future])), lambda _: get(SimpleQueue())], ids=["ended", "taken"]
)
def test_ctrl_c_that_another_thread_is_told_of(wait: Callable[[Future[bool]], object]) -> None:
    over = threading.Event()

    def interrupt() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(over.wait, 60)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            later = threading.Timer(0.2, interrupt)
            later.start()
            with pytest.raises(KeyboardInterrupt):
                wait(future)
            assert not future.done()
        finally:
            over.set()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            later.join()


def test_what_is_started_without_interrupts_hears_none() -> None:
    blocked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    with without_interrupts():
        started = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=True)
    assert started.stdout == "True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
