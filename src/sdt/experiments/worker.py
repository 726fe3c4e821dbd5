"""The worker process of an experiment: `python -m sdt.experiments.worker THREADS`.

It reads jobs from standard input, one JSON object a line, and writes what happens to standard output in the same way.
When its input ends while it trains, whoever gave the job has gone or wants it to stop: it stops as by Ctrl-C, and the
run can go on later.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import torch
from safetensors import SafetensorError

from sdt.errors import InputError, os_error_reason
from sdt.training.display import Display
from sdt.training.recipe import unflat
from sdt.training.run import train
from sdt.training.trackers import TRACKERS

_EVERY = 0.3
"""Seconds between two reports of batches."""


class Reporter(Display):
    """Tells how a run goes by events instead of bars.

    Args:
        tell: Called with each event, which is JSON values.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._tell = tell
        self._of = self._seen = 0
        self._told = 0.0

    def send(self, kind: str, **values: object) -> None:
        """One event."""
        self._tell({"kind": kind, **values})

    def say(self, text: str) -> None:
        """Notes are in the run's files; here they would only be in the way."""

    @contextlib.contextmanager
    def running(self, epochs: int, done: int) -> Iterator[None]:
        """The run begins or goes on."""
        self.send("start", epochs=epochs, done=done)
        yield

    def start_epoch(self, batches: int) -> None:
        """A new epoch of so many batches."""
        self._of, self._seen = batches, 0
        self._started, self._utterances = time.perf_counter(), 0

    def finish_batch(self, utterances: int, loss: float) -> None:
        """One batch more."""
        self._seen += 1
        self._utterances += utterances
        now = time.perf_counter()
        if now - self._told >= _EVERY:
            self._told = now
            rate = self._utterances / max(now - self._started, 1e-9)
            self.send("batch", share=self._seen / self._of, rate=rate, loss=loss)

    def finish_epoch(self, line: Mapping[str, Any], best_score: float, epochs: int, chosen_on: str) -> None:
        """One epoch more."""
        self.send("epoch", epoch=line["epoch"], epochs=epochs, chosen_on=chosen_on, best=best_score)


class Jobs:
    """The jobs from standard input."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.busy = self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        """Wait for the next one; None when there will be none."""
        return self._queue.get()

    def _read(self) -> None:
        for line in self._source:
            self._queue.put(json.loads(line))
        self.ended = True
        self._queue.put(None)
        if self.busy:
            _thread.interrupt_main()


def main(threads: int) -> None:
    """Do jobs until there are no more."""
    # What libraries print must not get between the events.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background may have it ignored

    def tell(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    jobs = Jobs(sys.stdin)
    with contextlib.suppress(KeyboardInterrupt):
        while (job := jobs.next()) is not None:
            jobs.busy = True
            if jobs.ended:
                return
            ended = make(job, Reporter(tell))
            tell(ended)
            if "traceback" in ended:  # memory may be lost, and a GPU's always is
                return
            jobs.busy = False


def make(job: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Make one run.

    Args:
        job: See `workers.values_of`.
        reporter: Told how it goes.

    Returns:
        The last event: `finished`, or `failed` with the `error`, and with a `traceback` if it is not the user's.
    """
    try:
        train(
            unflat(job["recipe"]),
            Path(job["folder"]),
            resume=True,
            display=reporter,
            command=job["command"],
            trackers=[TRACKERS[name]() for name in job["log"]],
        )
    except InputError as error:
        return {"kind": "failed", "error": str(error)}
    except Exception as error:
        if _full_disk(error):
            return {"kind": "failed", "error": os_error_reason(error) if isinstance(error, OSError) else str(error)}
        said = f"{type(error).__name__}: {error}"
        return {"kind": "failed", "error": said, "traceback": traceback.format_exc()}
    return {"kind": "finished"}


def _full_disk(error: Exception) -> bool:
    """Whether there was no room to write; safetensors says so in words alone."""
    if isinstance(error, SafetensorError):
        return f"os error {errno.ENOSPC}" in str(error) or f"os error {errno.EDQUOT}" in str(error)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


if __name__ == "__main__":
    main(int(sys.argv[1]))
