"""The number of usable processor cores."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The number of processor cores that this process may use; containers and schedulers limit it."""
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1
