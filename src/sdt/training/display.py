"""Progress of a training run: bars on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sdt.evaluation.table import percent


class Display:
    """Shows a run on a console."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._progress: Progress | None = None
        self._started = 0.0
        self._utterances = 0

    def say(self, text: str) -> None:
        """One line, above the bars if there are any."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def running(self, epochs: int, done: int) -> Iterator[None]:
        """Show the bars while the block runs.

        Args:
            epochs: Of the whole run.
            done: Epochs that a resumed run has behind it.
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

    def epoch_begins(self, batches: int) -> None:
        """A new epoch of so many batches."""
        self._started, self._utterances = time.perf_counter(), 0
        if self._progress:
            self._progress.reset(self._batches, total=batches, note="")

    def batch_done(self, utterances: int, loss: float) -> None:
        """One batch more."""
        self._utterances += utterances
        if self._progress:
            rate = self._utterances / max(time.perf_counter() - self._started, 1e-9)
            note = f"loss {loss:.3f}, {rate:,.0f} utterances/s"
            self._progress.update(self._batches, advance=1, note=note)

    def epoch_done(self, line: Mapping[str, Any], best_score: float, epochs: int, chosen_on: str) -> None:
        """One epoch more; `line` is its line of metrics.jsonl."""
        score = percent(line[chosen_on]["fused"]["weighted_f1"])
        if self._progress:
            note = f"{chosen_on} weighted F1 {score}, best {percent(best_score)}"
            self._progress.update(self._epochs, advance=1, note=note)
        else:
            self.say(
                f"epoch {line['epoch']}/{epochs}  loss {line['losses']['total']:.4f}  {chosen_on} weighted F1 {score}"
                f"{' (best)' if line['best'] else ''}  {sum(line['seconds'].values()):.1f} s"
            )
