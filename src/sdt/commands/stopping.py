"""How a command is stopped before its work is done, and what it says of that to whoever started it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

FAILED = 1
"""The exit code where some of the work could not be done."""
INTERRUPTED = 130
"""The exit code after Ctrl-C or SIGTERM, as shells have it."""


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, which schedulers send before they kill, stop a command like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
