"""The worker process of an experiment: `python -m sdt.experiments.worker THREADS`.

It reads jobs from standard input, one JSON object per line, and writes events to standard output in the same way. If
its input ends during training, the parent process has ended or wants it to stop: the worker stops as by Ctrl-C, and the
run can resume later.
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
from sdt.evaluation.metrics import MAIN, measure
from sdt.training.display import Display
from sdt.training.recipe import unflat
from sdt.training.run import train
from sdt.training.trackers import TRACKERS

_EVERY = 0.3
"""Minimum seconds between two batch events."""


class EventDisplay(Display):
    """Reports progress as events instead of progress bars.

    Args:
        emit: Called with each event, a dictionary of JSON values.
    """

    def __init__(self, emit: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._emit = emit
        self._epoch_batches = self._done = 0
        self._reported = 0.0

    def send(self, kind: str, **values: object) -> None:
        """Send an event."""
        self._emit({"kind": kind, **values})

    def say(self, text: str) -> None:
        """Ignore messages, which are also in the files of the run."""

    @contextlib.contextmanager
    def running(self, epochs: int, done: int) -> Iterator[None]:
        """Send the start event."""
        self.send("start", epochs=epochs, done=done)
        yield

    def start_epoch(self, batches: int) -> None:
        """See `Display`."""
        self._epoch_batches, self._done = batches, 0
        self._started, self._utterances = time.perf_counter(), 0

    def finish_batch(self, utterances: int, loss: float) -> None:
        """Send a batch event, unless the last one was just sent."""
        self._done += 1
        self._utterances += utterances
        now = time.perf_counter()
        if now - self._reported >= _EVERY:
            self._reported = now
            rate = self._utterances / max(now - self._started, 1e-9)
            self.send("batch", share=self._done / self._epoch_batches, rate=rate, loss=loss)

    def finish_epoch(
        self, line: Mapping[str, Any], best_score: float, epochs: int, chosen_on: str, selection: str = MAIN
    ) -> None:
        """Send an epoch event."""
        best = measure(selection).text(best_score)
        text = f"{chosen_on} {measure(selection).title} {best}"
        self.send("epoch", epoch=line["epoch"], epochs=epochs, chosen_on=chosen_on, best=best_score, text=text)


class Jobs:
    """Reads jobs from a stream in a thread."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.busy = self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        """Wait for the next job; None at the end of the stream."""
        return self._queue.get()

    def _read(self) -> None:
        for line in self._source:
            self._queue.put(json.loads(line))
        self.ended = True
        self._queue.put(None)
        if self.busy:
            _thread.interrupt_main()


def main(threads: int) -> None:
    """Train runs until there are no more jobs."""
    # Output of libraries must not mix with events.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background parent may ignore the signal

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    jobs = Jobs(sys.stdin)
    with contextlib.suppress(KeyboardInterrupt):
        while (job := jobs.next()) is not None:
            jobs.busy = True
            if jobs.ended:
                return
            ended = train_job(job, EventDisplay(emit))
            emit(ended)
            if "traceback" in ended:  # the process may have leaked memory, in particular on a GPU
                return
            jobs.busy = False


def train_job(job: Mapping[str, Any], display: EventDisplay) -> dict[str, Any]:
    """Train one run.

    Args:
        job: See `workers.encode_job`.
        display: Receives the progress.

    Returns:
        The last event: `finished`, or `failed` with the `error` and, for unexpected errors, a `traceback`.
    """
    try:
        train(
            unflat(job["recipe"]),
            Path(job["folder"]),
            resume=True,
            display=display,
            command=job["command"],
            callbacks=[TRACKERS[name]() for name in job["log"]],
        )
    except InputError as error:
        return {"kind": "failed", "error": str(error)}
    except Exception as error:
        if _full_disk(error):
            return {"kind": "failed", "error": os_error_reason(error) if isinstance(error, OSError) else str(error)}
        message = f"{type(error).__name__}: {error}"
        return {"kind": "failed", "error": message, "traceback": traceback.format_exc()}
    return {"kind": "finished"}


def _full_disk(error: Exception) -> bool:
    """Whether an error means that the disk is full; safetensors reports it only in its message."""
    if isinstance(error, SafetensorError):
        return f"os error {errno.ENOSPC}" in str(error) or f"os error {errno.EDQUOT}" in str(error)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


if __name__ == "__main__":
    main(int(sys.argv[1]))
