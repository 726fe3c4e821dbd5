"""Cross-validation as an experiment: a row for each fold, and the scores of all folds together.

    sdt experiment folds RECIPE --folds 5             five folds of conversations
    sdt experiment folds RECIPE --leave-out session   a fold for each session

The pooled scores of a seed are those of the predictions of all folds, in which every conversation occurs once. They are
written to `pooled/seed-N.jsonl`, which `sdt compare` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.metrics import measure, measure_names, metrics
from sdt.evaluation.predicted import PredictionFile, read_prediction_file
from sdt.evaluation.seeds import Spread, spread_values
from sdt.evaluation.system import System, Truth
from sdt.evaluation.table import Grid
from sdt.experiments.plan import ExperimentRows, Row, format_seeds
from sdt.files import write_text
from sdt.models.config import FUSED
from sdt.training.division import folds_of
from sdt.training.recipe import Recipe

if TYPE_CHECKING:
    from sdt.experiments.results import Measured, Results

TABLE = "folds"
"""The name of the table."""


def folds(recipe: Recipe, corpus: Corpus) -> ExperimentRows:
    """The rows of the folds of a recipe.

    Raises:
        InputError: The corpus cannot be divided so.
    """
    names = folds_of(corpus, recipe.cross_validation).names
    rows = tuple(Row(name, {"cross_validation.fold": number}) for number, name in enumerate(names, start=1))
    return ExperimentRows("What does cross-validation give?", rows, "")


@dataclass(frozen=True, eq=False)
class PooledResults:
    """The results of all folds together."""

    results: Results

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds for which every fold is finished and tested."""
        if len(self.results.rows) < len(self.results.plan.rows) or self.results.split != "test":
            return ()
        return tuple(sorted(set.intersection(*(set(row.group.seeds) for row in self.results.rows))))

    @cached_property
    def system(self) -> System | None:
        """The predictions of all folds as one system with a run per seed; None without a finished seed."""
        if not self.seeds:
            return None
        files = [
            _joined(self._file(seed), [read_prediction_file(path) for path in self._parts(seed)]) for seed in self.seeds
        ]
        return System.of("pooled", files, Truth.of_file(files[0]), self.seeds)

    @cached_property
    def measured(self) -> Measured | None:
        """The scores of the pooled predictions, over the seeds; None without a finished seed."""
        if self.system is None:
            return None
        totals = self.system.counts().totals()  # [R, measures]
        names = measure_names(self.system.labels)
        return {name: Spread.of(totals[:, column].tolist()) for column, name in enumerate(names)}

    @cached_property
    def over_folds(self) -> Measured:
        """The scores of the finished folds, each the mean over its seeds, over the folds."""
        folds = [measured for row in self.results.rows if (measured := row.measured(self.results.split))]
        return {name: Spread.of([of[name].mean for of in folds]) for name in folds[0]}

    def write(self) -> None:
        """Write the predictions of each finished seed."""
        for seed in self.seeds:
            text = "".join(path.read_text(encoding="utf-8") for path in self._parts(seed))
            self._file(seed).parent.mkdir(exist_ok=True)
            write_text(self._file(seed), text)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        values = {"over_folds": spread_values(self.over_folds)}
        if self.measured:
            values |= {"pooled": spread_values(self.measured)}
        return {**values, "seeds": list(self.seeds)}

    def table(self) -> Grid:
        """The table: the folds, their mean, and the pooled scores."""
        shown = list(metrics())

        def line(name: str, utterances: int, of: Measured, several: bool) -> tuple[str, ...]:
            cells = (
                f"{measure(key).text(of[key].mean)} ± {measure(key).text(of[key].deviation)}"
                if several
                else measure(key).text(of[key].mean)
                for key in shown
            )
            return (name, f"{utterances:,}", *cells)

        split, lines, total = self.results.split, [], 0
        for row in self.results.rows:
            if measured := row.measured(split):
                size = row.group.runs[0].read_scores()[1][split][FUSED].utterances
                total += size
                lines.append(line(row.name, size, measured, row.group.size > 1))
        lines.append(line("mean of folds", total, self.over_folds, len(lines) > 1))
        if self.measured and self.system:
            lines.append(line("pooled", len(self.system.true), self.measured, len(self.seeds) > 1))
        seeds = format_seeds(self.results.plan.seeds)
        return Grid(
            f"{self.results.rows[0].group.values['corpus']}, {split} split of each fold (seeds {seeds}); ± is over "
            "seeds, in 'mean of folds' over folds",
            ("fold", "utterances", *(measure(name).title for name in shown)),
            lines,
        )

    def _parts(self, seed: int) -> list[Path]:
        folder, rows = self.results.folder, self.results.plan.rows
        return [folder / row.name / f"seed-{seed}" / "predictions" / "test.jsonl" for row in rows]

    def _file(self, seed: int) -> Path:
        return self.results.folder / "pooled" / f"seed-{seed}.jsonl"


def _joined(path: Path, files: Sequence[PredictionFile]) -> PredictionFile:
    """The predictions of several files, which have no utterance in common."""
    emotions = {key: emotion for file in files for key, emotion in file.emotions.items()}
    if len(emotions) < sum(len(file.emotions) for file in files):
        raise InputError(f"{path}: an utterance is in two folds; train the folds again")
    annotated = {key: label for file in files for key, label in file.annotated.items()}
    return PredictionFile(path, emotions, annotated, files[0].labels)
