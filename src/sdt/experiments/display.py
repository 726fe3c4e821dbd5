"""Progress of an experiment: a bar per active run and one for all, or plain lines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from sdt.evaluation.table import percent
from sdt.experiments.plan import Job
from sdt.experiments.workers import Failure


@dataclass
class _Going:
    """A run that goes on."""

    bar: TaskID
    epochs: int
    began: float
    first: float = 0.0
    """Epochs that it had behind it when it began."""
    done: float = 0.0
    """Epochs, with the part of the current one."""
    rate: float = 0.0
    best: str = ""

    @property
    def seconds_left(self) -> float | None:
        gone = self.done - self.first
        return (time.perf_counter() - self.began) / gone * (self.epochs - self.done) if gone > 0 else None


class Board:
    """Shows how the runs of an experiment go.

    Args:
        console: Where.
        jobs: All runs that are to be made.
        finished: How many more are finished already.
    """

    def __init__(self, console: Console, jobs: Sequence[Job], finished: int) -> None:
        self._console = console
        self._jobs, self._ended, self._before = jobs, 0, finished
        self._going: dict[str, _Going] = {}
        self._began: float | None = None
        """When the first run began to train."""
        self._gone = 0.0
        """Epochs that ended runs took here."""
        self._waiting = sum(job.recipe.training.epochs for job in jobs)
        """Epochs of runs that have not begun."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._total = self._progress.add_task("all runs", total=len(jobs) + finished, completed=finished, note="")

    @contextlib.contextmanager
    def showing(self) -> Iterator[None]:
        """Show the bars while the block runs."""
        with self._progress:
            self._tell_total()
            yield

    def started(self, job: Job) -> None:
        """A process has the job now."""
        epochs = job.recipe.training.epochs
        bar = self._progress.add_task(job.name, total=epochs, note="starting")
        self._going[job.name] = _Going(bar, epochs, time.perf_counter())
        self._waiting -= epochs

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        """What a worker says; see `worker.Reporter`."""
        run = self._going[job.name]
        if event["kind"] == "start":
            run.first = run.done = event["done"]
            run.began = time.perf_counter()
            self._began = self._began or run.began
        elif event["kind"] == "batch":
            run.done, run.rate = int(run.done) + min(event["share"], 0.999), event["rate"]
        else:
            run.done = event["epoch"]
            run.best = f", best {event['chosen_on']} weighted F1 {percent(event['best'])}"
        note = f"epoch {min(int(run.done) + 1, run.epochs)}/{run.epochs}, {run.rate:,.0f} utterances/s{run.best}"
        self._progress.update(run.bar, completed=run.done, note=f"{note}, {time_left(run.seconds_left)}")
        self._tell_total()

    def ended(self, job: Job, failure: Failure | None) -> None:
        """The run is finished, or failed."""
        run = self._going.pop(job.name)
        self._ended += 1
        self._gone += run.done - run.first
        self._progress.remove_task(run.bar)
        self._progress.advance(self._total)
        self._tell_total()
        if failure or not self._console.is_terminal:
            how = f"failed: {failure.error}" if failure else f"finished after {run.done:.0f} epochs{run.best}"
            place = f"{self._before + self._ended}/{self._before + len(self._jobs)}"
            self._say(f"{place}  {job.name} {how}; {time_left(self._seconds_left())}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _tell_total(self) -> None:
        done = self._before + self._ended
        note = f"{done}/{self._before + len(self._jobs)} runs, {time_left(self._seconds_left())}"
        self._progress.update(self._total, note=note)

    def _seconds_left(self) -> float | None:
        """From the epochs that all runs together made here, and those that are left if no run stops early."""
        gone = self._gone + sum(run.done - run.first for run in self._going.values())
        left = self._waiting + sum(run.epochs - run.done for run in self._going.values())
        if self._began is None or gone == 0:
            return None
        return (time.perf_counter() - self._began) / gone * left


def time_left(seconds: float | None) -> str:
    """In words."""
    if seconds is None:
        return "time left unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min {rest} s left" if minutes else f"{rest} s left"
