"""Ends services, clusters and browsers that tests started, however the tests end.

A fixture ends what it started in its last lines, which never run where the tests are killed. So what it started is
also told to a process that waits for the end of its standard input: a pipe that the system closes when the tests are
gone, whatever ended them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import psutil


class Started(Protocol):
    """A process, whatever started it."""

    @property
    def pid(self) -> int:
        """Its number."""


PATIENCE = 60.0
"""Seconds that a program has to end by itself."""


def guard(process: Started, folder: Path | None = None) -> None:
    """End a program, all that it started, and remove its folder, should they outlive the tests."""
    pipe = _guard().stdin
    assert pipe
    pipe.write(json.dumps([process.pid, folder and str(folder)]) + "\n")
    pipe.flush()


@functools.cache
def _guard() -> subprocess.Popen[str]:
    # In a session of its own, where no Ctrl-C reaches it.
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True)


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        started = process.children(recursive=True)
        process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(PATIENCE)
        for one in (process, *started):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def _main() -> None:
    guarded = []
    for line in sys.stdin:
        number, folder = json.loads(line)
        with contextlib.suppress(psutil.NoSuchProcess):
            guarded.append((psutil.Process(number), folder))
    for process, folder in reversed(guarded):
        _end(process)  # nothing where it has ended, even if its number is another's by now
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main()
