"""The memory of a process while it works, as Linux counts it."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdt.errors import InputError

INTERVAL = 0.05
"""Seconds between two looks."""


@dataclass
class Curve:
    """What a process held over time."""

    seconds: list[float] = field(default_factory=list)
    """Since its start."""
    anonymous: list[int] = field(default_factory=list)
    """Bytes that are its own: without the pages of mapped files, which the system takes back when it needs them."""
    resident: list[int] = field(default_factory=list)
    """Bytes with those pages."""
    processor: float = 0.0
    """Seconds of processor time in all, which other processes of the machine hardly change."""
    output: str = ""
    """What it printed."""

    @property
    def peak(self) -> int:
        """The most anonymous bytes."""
        return max(self.anonymous)

    def thinned(self, points: int) -> dict[str, list[float]]:
        """At most so many points, each the highest of its neighbourhood."""
        step = -(-len(self.seconds) // points)
        starts = range(0, len(self.seconds), step)
        return {
            "seconds": [round(self.seconds[at], 2) for at in starts],
            "anonymous_mib": [round(max(self.anonymous[at : at + step]) / 2**20, 1) for at in starts],
            "resident_mib": [round(max(self.resident[at : at + step]) / 2**20, 1) for at in starts],
        }


def watched(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Curve:
    """Run a command to its end and look at its memory meanwhile.

    Raises:
        InputError: It fails, or this is no Linux, which alone tells mapped files from the rest.
    """
    if not Path("/proc/self/status").exists():
        raise InputError("the memory of a process is read from /proc, which only Linux has")
    curve, begun, before = Curve(), time.perf_counter(), _processor_of_children()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            while process.poll() is None:
                if sizes := _sizes(process.pid):
                    curve.seconds.append(time.perf_counter() - begun)
                    curve.anonymous.append(sizes["RssAnon"])
                    curve.resident.append(sizes["VmRSS"])
                time.sleep(INTERVAL)
            assert process.stdout is not None
            curve.output = process.stdout.read()
            curve.processor = _processor_of_children() - before
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise InputError(f"{' '.join(command[:6])} ...: failed with exit code {process.returncode}")
    return curve


def _processor_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sizes(pid: int) -> dict[str, int]:
    """Bytes; nothing once the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    values = (line.partition(":") for line in lines if line.startswith(("RssAnon:", "VmRSS:")))
    found = {name: int(value.split()[0]) * 1024 for name, _, value in values}
    return found if len(found) == 2 else {}
