"""What workers of the tests' cluster are given to do; imported by them, without PyTorch."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sdt.errors import InputError, MissingDependencyError

VICTIM, ALWAYS, ASKED = Path("victim"), Path("always"), Path("asked")
"""Files in the working directory: who waits to be killed, whose unit kills every process, and who was asked."""


def trial(place: str) -> None:
    """A place in a unit: the process may end here, as the files in the working directory say."""
    with ASKED.open("a") as asked:
        asked.write(f"{place}\n")
    if ALWAYS.is_file() and ALWAYS.read_text() == place:
        os.kill(os.getpid(), signal.SIGKILL)
    if VICTIM.is_file() and VICTIM.read_text() == place:
        VICTIM.write_text(str(os.getpid()))
        time.sleep(60)


@contextlib.contextmanager
def killing(place: str) -> Iterator[list[int]]:
    """Kill the process that comes to a place first; gives the processes that were killed."""
    killed: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            said = VICTIM.read_text()
            if said.isdecimal():
                killed.append(int(said))
                VICTIM.unlink()
                os.kill(int(said), signal.SIGKILL)
                return

    VICTIM.write_text(place)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        ended.set()
        watcher.join()
        VICTIM.unlink(missing_ok=True)


def make_square(plus: int) -> Callable[[int], tuple[int, int]]:
    def square(number: int) -> tuple[int, int]:
        trial(f"unit {number}")
        if number == 101:
            raise InputError("the unit is no good; give another")
        if number == 102:
            raise MissingDependencyError("install it")
        if number == 103:
            raise ZeroDivisionError("a bug")
        return number * number + plus, os.getpid()

    return square


def make_surroundings() -> Callable[[object], tuple[str, int, str | None]]:
    import torch

    return lambda _: (str(Path.cwd()), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"))
