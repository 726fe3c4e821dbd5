"""Results of an experiment: scores of every row under both protocols, and comparisons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sdt.evaluation.comparison_tables import values as comparison_values
from sdt.evaluation.scores import Scores
from sdt.evaluation.seeds import Spread, spread_values
from sdt.evaluation.significance import Comparison, compare
from sdt.experiments.folds import PooledResults
from sdt.experiments.plan import read_plan
from sdt.files import write_text
from sdt.models.config import FUSED
from sdt.training.folder import RunFolder
from sdt.training.group import Group

Measured = Mapping[str, Spread]
"""Statistics of the metrics and `f1:LABEL` of the fused classifier over the runs of a row."""


@dataclass(frozen=True)
class RowResult:
    """The finished runs of one row."""

    name: str
    group: Group
    missing: tuple[int, ...]
    """Seeds without a finished run."""

    def measured(self, split: str) -> Measured | None:
        """Scores with the selected parameters of each run; None if a run has no scores of the split."""
        return _over([scores.get(split) for scores in self.group.scores])

    @property
    def chosen_on_test(self) -> Measured | None:
        """Scores with the epoch of each run selected on test; None if a run has not recorded them."""
        return _over(self.group.test_selections)

    @property
    def test_selection_gain(self) -> Measured | None:
        """Gain of selecting the epoch on test, computed per run; None if a run has not recorded the scores."""
        reported = [scores.get("test") for scores in self.group.scores]
        pairs = [
            (_measures(a), _measures(b)) for a, b in zip(self.group.test_selections, reported, strict=True) if a and b
        ]
        if len(pairs) < len(reported):
            return None
        return {name: Spread.of([a[name] - b[name] for a, b in pairs]) for name in pairs[0][0]}


class Results:
    """The results of a finished or unfinished experiment.

    Args:
        folder: The experiment's folder.

    Raises:
        InputError: The folder is not an experiment, or one of its runs is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan, self.header = read_plan(folder)
        self.rows = [row for name in (row.name for row in self.plan.rows) if (row := self._row(name))]
        """The rows with a finished run."""

    def _row(self, name: str) -> RowResult | None:
        paths = {seed: self.folder / name / f"seed-{seed}" for seed in self.plan.seeds}
        finished = {seed: path for seed, path in paths.items() if RunFolder(path).finished}
        if not finished:
            return None
        missing = tuple(seed for seed in paths if seed not in finished)
        return RowResult(name, Group.of(name, list(finished.values())), missing)

    @property
    def split(self) -> str:
        """The split of the results: test if the runs scored it, otherwise dev."""
        return "test" if self.rows[0].measured("test") else "dev"

    @cached_property
    def reference(self) -> RowResult | None:
        """The row with which the others are compared, if it has a finished run."""
        return next((row for row in self.rows if row.name == self.plan.reference), None)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Comparisons of each other row with the reference; empty without a reference."""
        others = [row for row in self.rows if row is not self.reference]
        if not (self.reference and others):
            return []
        systems = [row.group.system(self.split) for row in (self.reference, *others)]
        return compare(systems[0], systems[1:])

    @cached_property
    def pooled(self) -> PooledResults | None:
        """The results of all folds together, if the rows are folds of cross-validation."""
        return PooledResults(self) if self.plan.cross_validated and self.rows else None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: statistics of the rows, remarks and comparisons."""
        from sdt.experiments.tables import remarks

        return {
            "question": self.plan.question,
            "split": self.split,
            "rows": [_row_values(row) for row in self.rows],
            "remarks": [remark.to_dict() for remark in remarks(self.rows)],
            **({"cross_validation": self.pooled.to_dict()} if self.pooled else {}),
            **({"significance": comparison_values(self.comparisons, {})} if self.comparisons else {}),
        }

    def write(self) -> None:
        """Write results.json and results.md if a run is finished."""
        from sdt.experiments.tables import page

        if self.rows:
            if self.pooled:
                self.pooled.write()
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
            write_text(self.folder / "results.json", text)
            write_text(self.folder / "results.md", page(self))


def _row_values(row: RowResult) -> dict[str, Any]:
    parts = {
        "dev": row.measured("dev"),
        "test": row.measured("test"),
        "test_chosen": row.chosen_on_test,
        "price_of_choosing_on_test": row.test_selection_gain,
    }
    return {
        "name": row.name,
        "seeds": list(row.group.seeds),
        "missing_seeds": list(row.missing),
        **{key: spread_values(measured) for key, measured in parts.items() if measured},
    }


def _over(runs: Sequence[Mapping[str, Scores] | None]) -> Measured | None:
    found = [_measures(classifiers) for classifiers in runs if classifiers is not None]
    if len(found) < len(runs):
        return None
    return {name: Spread.of([of_run[name] for of_run in found]) for name in found[0]}


def _measures(classifiers: Mapping[str, Scores]) -> dict[str, float]:
    return classifiers[FUSED].measures
