"""Training of several runs at once, each in a separate process with its share of the CPU cores."""

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
"""Timeout in seconds for a process to stop, which finishes its current batch first."""


@dataclass(frozen=True)
class Failure:
    """A failed run."""

    job: Job
    """The run."""
    error: str
    """The error in one line."""
    details: str = ""
    """The traceback of an unexpected error."""


class RunListener(Protocol):
    """Receives the progress of runs."""

    def started(self, job: Job) -> None:
        """Called when a process starts the run."""

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        """Called with each event of the run; see `worker.EventDisplay`."""

    def ended(self, job: Job, failure: Failure | None) -> None:
        """Called when the run is finished or has failed."""


def cores() -> int:
    """Return the number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encode_job(job: Job, log: Sequence[str]) -> dict[str, Any]:
    """Encode a job as JSON values for `worker.train_job`."""
    return {"recipe": flat(job.recipe), "folder": str(job.folder), "command": job.command, "log": list(log)}


def train_runs(
    jobs: Sequence[Job],
    at_once: int,
    threads: int,
    watcher: RunListener,
    log: Sequence[str] = (),
) -> list[Failure]:
    """Train runs, several at once. A failed run does not stop the others.

    Args:
        jobs: The runs in the order in which they start. Finished runs are not changed.
        at_once: Maximum number of concurrent runs.
        threads: Number of threads per run.
        watcher: Listener of the runs.
        log: Trackers of each run; see `sdt.training.trackers`.

    Returns:
        The failed runs.

    Raises:
        KeyboardInterrupt: Ctrl-C; all processes are stopped, and every run can resume from its checkpoint.
    """
    waiting = list(jobs)
    failures: list[Failure] = []
    events: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]] = queue.SimpleQueue()
    processes: set[_Process] = set()

    def assign_job(process: _Process) -> None:
        if not waiting:
            process.stop()
            return
        job = waiting.pop(0)
        watcher.started(job)
        process.start(job, log)

    def start_process() -> None:
        process = _Process(threads, events)
        processes.add(process)
        assign_job(process)

    def end(process: _Process, failure: Failure | None) -> None:
        assert process.job is not None
        if failure:
            failures.append(failure)
        watcher.ended(process.job, failure)
        process.job = None

    try:
        for _ in range(min(at_once, len(waiting))):
            start_process()
        while processes:
            process, event = get(events)
            job = process.job
            if event is None:
                processes.remove(process)
                if job:
                    end(process, Failure(job, process.exit_reason()))
                process.wait(PATIENCE)
                if waiting:
                    start_process()
            elif job and event["kind"] == "finished":
                end(process, None)
                assign_job(process)
            elif job and event["kind"] == "failed":
                end(process, Failure(job, event["error"], event.get("traceback", "")))
                if "traceback" not in event:  # otherwise the process ends
                    assign_job(process)
            elif job:
                watcher.event(job, event)
    finally:
        for process in processes:
            process.stop()
        for process in processes:
            process.wait(PATIENCE)
    return failures


class _Process:
    """One worker process; its events, and None when it has ended, are put into the queue."""

    def __init__(self, threads: int, events: queue.SimpleQueue[Any]) -> None:
        # torch reads the numbers of threads when it starts.
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self.job: Job | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - exists as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "sdt.experiments.worker", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **dict.fromkeys(names, str(threads))},
            start_new_session=True,  # Ctrl-C on the terminal reaches only the parent, which stops its workers
            text=True,
            encoding="utf-8",
        )
        self._listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self._listener.start()

    def _listen(self, events: queue.SimpleQueue[Any]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                events.put((self, json.loads(line)))
        self._process.wait()
        events.put((self, None))

    def start(self, job: Job, log: Sequence[str]) -> None:
        """Start a run; if the process has ended, its last event reports it."""
        self.job = job
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(encode_job(job, log)) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Stop the process and its run."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait until the process has ended, and kill it after a timeout in seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.stop()
        self._listener.join()
        self._stderr.close()

    def exit_reason(self) -> str:
        """The exit code or signal, and the last line of standard error."""
        code = self._process.returncode
        how = (
            f"signal {-code}" + (", possibly out of memory" if code == -9 else "") if code < 0 else f"exit code {code}"
        )
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"the process ended with {how}" + (f": {last}" if last else "")
