"""How a command ends before its work is done: one exit code for each reason, the same for every command."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

FAILED = 1
"""The exit code where some of the work could not be done."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers send before they kill; commands clean up after it as after Ctrl-C."""


def exit_code(stopped: KeyboardInterrupt) -> int:
    """The exit code of a stopped command: 130 after Ctrl-C (SIGINT), 143 after SIGTERM."""
    return signal_code(signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


def signal_code(number: int) -> int:
    """The exit code of a command that a signal ends, as shells report it."""
    return 128 + number


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` until the end of the block; from the main thread."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what handlers are called with
    raise Terminated
