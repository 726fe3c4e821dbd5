"""Progress of an experiment: a bar per active run and one for all, or plain lines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from sdt.experiments.plan import Job
from sdt.experiments.workers import Failure


@dataclass
class _ActiveRun:
    """The progress of an active run."""

    bar: TaskID
    epochs: int
    began: float
    first: float = 0.0
    """Number of epochs finished before the run started or resumed."""
    done: float = 0.0
    """Number of finished epochs, including a fraction for the current one."""
    rate: float = 0.0
    best: str = ""

    @property
    def seconds_left(self) -> float | None:
        trained = self.done - self.first
        return (time.perf_counter() - self.began) / trained * (self.epochs - self.done) if trained > 0 else None


class ProgressBoard:
    """Shows the progress of the runs of an experiment.

    Args:
        console: The console.
        jobs: The runs to train.
        finished: Number of other runs that are already finished.
    """

    def __init__(self, console: Console, jobs: Sequence[Job], finished: int) -> None:
        self._console = console
        self._jobs, self._ended, self._before = jobs, 0, finished
        self._active: dict[str, _ActiveRun] = {}
        self._began: float | None = None
        """Time at which the first run started training."""
        self._trained = 0.0
        """Number of epochs trained by ended runs."""
        self._waiting = sum(job.recipe.training.epochs for job in jobs)
        """Number of epochs of runs that have not started."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._total = self._progress.add_task("all runs", total=len(jobs) + finished, completed=finished, note="")

    @contextlib.contextmanager
    def showing(self) -> Iterator[None]:
        """Context manager that shows the progress bars."""
        with self._progress:
            self._update_total()
            yield

    def started(self, job: Job) -> None:
        """See `RunListener`."""
        epochs = job.recipe.training.epochs
        bar = self._progress.add_task(job.name, total=epochs, note="starting")
        self._active[job.name] = _ActiveRun(bar, epochs, time.perf_counter())
        self._waiting -= epochs

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        """See `RunListener`."""
        run = self._active[job.name]
        if event["kind"] == "start":
            run.first = run.done = event["done"]
            run.began = time.perf_counter()
            self._began = self._began or run.began
        elif event["kind"] == "batch":
            run.done, run.rate = int(run.done) + min(event["share"], 0.999), event["rate"]
        else:
            run.done = event["epoch"]
            run.best = f", best {event['text']}"
        note = f"epoch {min(int(run.done) + 1, run.epochs)}/{run.epochs}, {run.rate:,.0f} utterances/s{run.best}"
        self._progress.update(run.bar, completed=run.done, note=f"{note}, {time_left(run.seconds_left)}")
        self._update_total()

    def ended(self, job: Job, failure: Failure | None) -> None:
        """See `RunListener`."""
        run = self._active.pop(job.name)
        self._ended += 1
        self._trained += run.done - run.first
        self._progress.remove_task(run.bar)
        self._progress.advance(self._total)
        self._update_total()
        if failure or not self._console.is_terminal:
            outcome = f"failed: {failure.error}" if failure else f"finished after {run.done:.0f} epochs{run.best}"
            count = f"{self._before + self._ended}/{self._before + len(self._jobs)}"
            text = f"{count}  {job.name} {outcome}; {time_left(self._seconds_left())}"
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _update_total(self) -> None:
        done = self._before + self._ended
        note = f"{done}/{self._before + len(self._jobs)} runs, {time_left(self._seconds_left())}"
        self._progress.update(self._total, note=note)

    def _seconds_left(self) -> float | None:
        """Estimate from the epochs trained so far and the remaining epochs, assuming that no run stops early."""
        trained = self._trained + sum(run.done - run.first for run in self._active.values())
        left = self._waiting + sum(run.epochs - run.done for run in self._active.values())
        if self._began is None or trained == 0:
            return None
        return (time.perf_counter() - self._began) / trained * left


def time_left(seconds: float | None) -> str:
    """Format a remaining time."""
    if seconds is None:
        return "time left unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min {rest} s left" if minutes else f"{rest} s left"
