"""The exit codes of interrupted and failed commands."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

FAILED = 1
"""The exit code if some of the work failed."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers send before SIGKILL; commands handle it like Ctrl-C."""


def exit_code(stopped: KeyboardInterrupt) -> int:
    """The exit code of a stopped command: 130 after Ctrl-C (SIGINT), 143 after SIGTERM."""
    return signal_code(signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


def signal_code(number: int) -> int:
    """The exit code of a command that a signal ends, as reported by shells."""
    return 128 + number


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM raise `Terminated` until the end of the block; call it in the main thread."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of handlers
    raise Terminated
