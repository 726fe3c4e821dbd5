"""How many processor cores there are to use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The processor cores that this process may run on; a container or a scheduler often gives it fewer than all."""
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1
