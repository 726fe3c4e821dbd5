"""A process that reads inputs, so that a crash, a hang or a flood of memory ends the process and not the fuzzer."""

from __future__ import annotations

import multiprocessing
import os
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.attempt import KINDS, attempt, install, make, minimise

_STALLED = 20
"""Seconds of processor time after which a worker is killed; a hang in Python code ends itself before."""
_ADDRESS_SPACE = 2 * 2**30
"""Bytes that a worker may map beyond what it has when it begins."""


def _work(connection: Connection) -> None:
    """Read inputs by their kind and number, until told to stop."""
    for kind in KINDS:
        attempt(kind, make(kind, "warm-up", 0))  # imports what is imported at use
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + _ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    install()
    connection.send(None)
    while (asked := connection.recv()) is not None:
        seed, kind, number, smaller = asked
        files = make(kind, seed, number)
        outcome, detail = attempt(kind, files)
        if smaller and outcome not in ("result", "refused", "memory") and not outcome.startswith("hang"):
            files = minimise(kind, files, outcome)
        connection.send((outcome, detail, files if smaller else None))


class Worker:
    """A process that reads inputs; a new one takes its place when it dies, hangs or has grown."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()

    def attempt(self, seed: str, kind: str, number: int, *, smaller: bool = False) -> tuple[str, str, object]:
        """The outcome of an input, its message, and its files if they were asked for, made small."""
        try:
            self._connection.send((seed, kind, number, smaller))
            if self._answers(_STALLED * (50 if smaller else 1)):
                answer: tuple[str, str, object] = self._connection.recv()
                if answer[0] == "memory":
                    self.stop()
                    self._start()
                return answer
            what = "hang outside of Python code"
        except (EOFError, OSError):
            self._process.join()
            what = f"crash (exit code {self._process.exitcode})"
        self._process.kill()
        self._start()
        return what, "", make(kind, seed, number)

    def _answers(self, seconds: float) -> bool:
        """Whether there is an answer before the process has had so much processor time."""
        before = self._seconds()
        while not self._connection.poll(1):
            if self._seconds() - before > seconds:
                return False
        return True

    def _seconds(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except FileNotFoundError:  # it has ended, so that the connection has
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
