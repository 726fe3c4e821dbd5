"""Sampling of the memory of a process, on Linux."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdt.errors import InputError

INTERVAL = 0.05
"""Seconds between samples."""


@dataclass
class MemoryCurve:
    """The memory of a process over time."""

    seconds: list[float] = field(default_factory=list)
    """Times of the samples, since the start of the process."""
    anonymous: list[int] = field(default_factory=list)
    """Bytes without the pages of mapped files, which the system can reclaim."""
    resident: list[int] = field(default_factory=list)
    """Bytes with the pages of mapped files."""
    processor: float = 0.0
    """Total processor time in seconds, which other load on the machine hardly affects."""
    output: str = ""
    """The standard output of the process."""

    @property
    def peak(self) -> int:
        """The peak of the anonymous memory in bytes."""
        return max(self.anonymous)

    def downsample(self, points: int) -> dict[str, list[float]]:
        """Reduce the curve to at most so many points, each the maximum of its interval."""
        step = -(-len(self.seconds) // points)
        starts = range(0, len(self.seconds), step)
        return {
            "seconds": [round(self.seconds[at], 2) for at in starts],
            "anonymous_mib": [round(max(self.anonymous[at : at + step]) / 2**20, 1) for at in starts],
            "resident_mib": [round(max(self.resident[at : at + step]) / 2**20, 1) for at in starts],
        }


def watch_memory(command: Sequence[str], environment: Mapping[str, str] | None = None) -> MemoryCurve:
    """Run a command and sample its memory.

    Raises:
        InputError: The command fails, or the system is not Linux, which separates mapped files from other memory.
    """
    if not Path("/proc/self/status").exists():
        raise InputError("this benchmark reads the memory of a process from /proc, and needs Linux")
    curve, begun, before = MemoryCurve(), time.perf_counter(), _processor_of_children()
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
    """Bytes by name; empty if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    values = (line.partition(":") for line in lines if line.startswith(("RssAnon:", "VmRSS:")))
    found = {name: int(value.split()[0]) * 1024 for name, _, value in values}
    return found if len(found) == 2 else {}
