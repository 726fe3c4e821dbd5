"""Trains several runs at a time, each in its own process with its share of the CPU cores."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sdt.experiments.plan import Job
from sdt.training.recipe import flat
from sdt.waiting import get

PATIENCE = 60.0
"""Seconds that a process has to stop by itself: it finishes the batch it is at."""


@dataclass(frozen=True)
class Failure:
    """A run that came to no end."""

    job: Job
    error: str
    """One line."""
    details: str = ""
    """What the process said, where the error is not the user's."""


class RunListener(Protocol):
    """Who is told how the runs go."""

    def started(self, job: Job) -> None:
        """A process has the job now."""

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        """What a worker says; see `worker.Reporter`."""

    def ended(self, job: Job, failure: Failure | None) -> None:
        """The run is finished, or failed."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def job_values(job: Job, log: Sequence[str]) -> dict[str, Any]:
    """What a worker is told of a job, as JSON values; see `worker.make`."""
    return {"recipe": flat(job.recipe), "folder": str(job.folder), "command": job.command, "log": list(log)}


def make_runs(
    jobs: Sequence[Job],
    at_once: int,
    threads: int,
    watcher: RunListener,
    log: Sequence[str] = (),
) -> list[Failure]:
    """Make runs, some at once. One that fails does not stop the others.

    Args:
        jobs: In the order in which they begin. A run that is finished already is left as it is.
        at_once: How many go on at the same time.
        threads: Of each.
        watcher: Who is told.
        log: Trackers of each run, see `sdt.training.trackers`.

    Raises:
        KeyboardInterrupt: Ctrl-C. The processes have stopped then, and every run can resume from its checkpoint.
    """
    waiting = list(jobs)
    failures: list[Failure] = []
    events: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]] = queue.SimpleQueue()
    processes: set[_Process] = set()

    def occupy(process: _Process) -> None:
        if not waiting:
            process.dismiss()
            return
        job = waiting.pop(0)
        watcher.started(job)
        process.give(job, log)

    def hire() -> None:
        process = _Process(threads, events)
        processes.add(process)
        occupy(process)

    def end(process: _Process, failure: Failure | None) -> None:
        assert process.job is not None
        if failure:
            failures.append(failure)
        watcher.ended(process.job, failure)
        process.job = None

    try:
        for _ in range(min(at_once, len(waiting))):
            hire()
        while processes:
            process, event = get(events)
            job = process.job
            if event is None:
                processes.remove(process)
                if job:
                    end(process, Failure(job, process.cause_of_death()))
                process.wait(PATIENCE)
                if waiting:
                    hire()
            elif job and event["kind"] == "finished":
                end(process, None)
                occupy(process)
            elif job and event["kind"] == "failed":
                end(process, Failure(job, event["error"], event.get("traceback", "")))
                if "traceback" not in event:  # otherwise the process ends itself
                    occupy(process)
            elif job:
                watcher.event(job, event)
    finally:
        for process in processes:
            process.dismiss()
        for process in processes:
            process.wait(PATIENCE)
    return failures


class _Process:
    """One worker; what it says is put into the queue, and None when it has ended."""

    def __init__(self, threads: int, events: queue.SimpleQueue[Any]) -> None:
        # The numbers of threads are read when torch starts.
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self.job: Job | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "sdt.experiments.worker", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **dict.fromkeys(names, str(threads))},
            start_new_session=True,  # Ctrl-C on the terminal is for the parent, which stops its workers
            text=True,
            encoding="utf-8",
        )
        self._listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self._listener.start()

    def _listen(self, events: queue.SimpleQueue[Any]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                events.put((self, json.loads(line)))
        self._process.wait()
        events.put((self, None))

    def give(self, job: Job, log: Sequence[str]) -> None:
        """Let it make a run; its death shows as the end of its events."""
        self.job = job
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(job_values(job, log)) + "\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """End it, or stop its run."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Until it has ended; by force if it takes too long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.dismiss()
        self._listener.join()
        self._said.close()

    def cause_of_death(self) -> str:
        """How it ended, and the last line that it said."""
        code = self._process.returncode
        how = f"signal {-code}" + (", perhaps for lack of memory" if code == -9 else "") if code < 0 else f"code {code}"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"the process ended by {how}" + (f": {last}" if last else "")
