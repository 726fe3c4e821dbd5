"""Progress display of a training run: progress bars on a terminal, otherwise one line per epoch and minute."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sdt.evaluation.metrics import MAIN, measure

EVERY = 60.0
"""Seconds between two lines within an epoch, where there is no terminal."""


class Display:
    """Shows a run on a console."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._progress: Progress | None = None
        self._started = self._said = 0.0
        self._utterances = self._finished = self._total = 0

    def say(self, text: str) -> None:
        """Print a line, above the progress bars if they are shown."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def running(self, epochs: int, done: int) -> Iterator[None]:
        """Context manager that shows the progress bars.

        Args:
            epochs: Number of epochs of the run.
            done: Number of epochs finished before the run was resumed.
        """
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as self._progress:
            self._epochs = self._progress.add_task("epochs", total=epochs, completed=done, note="")
            self._batches = self._progress.add_task("batches", total=None, note="")
            try:
                yield
            finally:
                self._progress = None

    def start_epoch(self, batches: int) -> None:
        """Start an epoch with the given number of batches."""
        self._started = self._said = time.perf_counter()
        self._utterances, self._finished, self._total = 0, 0, batches
        if self._progress:
            self._progress.reset(self._batches, total=batches, note="")

    def finish_batch(self, utterances: int, loss: float) -> None:
        """Show that a batch is finished."""
        self._utterances += utterances
        self._finished += 1
        now = time.perf_counter()
        seconds = max(now - self._started, 1e-9)
        note = f"loss {loss:.3f}, {self._utterances / seconds:,.0f} utterances/s"
        if self._progress:
            self._progress.update(self._batches, advance=1, note=note)
        elif now - self._said >= EVERY:
            self._said = now
            left = seconds / self._finished * (self._total - self._finished) / 60
            self.say(f"  batch {self._finished:,}/{self._total:,}  {note}, {left:.0f} min left of this epoch")

    def finish_epoch(
        self, line: Mapping[str, Any], best_score: float, epochs: int, chosen_on: str, selection: str = MAIN
    ) -> None:
        """Show that an epoch is finished; `line` is its line of metrics.jsonl, `selection` the metric that selects."""
        metric = measure(selection)
        score = f"{chosen_on} {metric.title} {metric.text(line[chosen_on]['fused'][selection])}"
        if self._progress:
            note = f"{score}, best {metric.text(best_score)}"
            self._progress.update(self._epochs, advance=1, note=note)
        else:
            self.say(
                f"epoch {line['epoch']}/{epochs}  loss {line['losses']['total']:.4f}  {score}"
                f"{' (best)' if line['best'] else ''}  {sum(line['seconds'].values()):.1f} s"
            )
