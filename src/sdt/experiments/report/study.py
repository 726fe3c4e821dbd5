"""The data of a report: rows of runs, their states, results and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sdt.errors import InputError
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.significance import Comparison, compare
from sdt.evaluation.system import System
from sdt.experiments.results import RowResult
from sdt.models.config import FUSED
from sdt.training.folder import RunFolder
from sdt.training.settings import Recipe


@dataclass(frozen=True)
class PlannedRun:
    """A run of the plan, finished or not."""

    seed: int
    folder: RunFolder
    failure: str | None = None
    """Why its last attempt failed."""

    @property
    def state(self) -> str:
        """A description; empty if it is finished."""
        if self.folder.finished:
            return ""
        epochs = max(len(self.folder.read_metrics()), self.folder.epochs_done)
        after = f" after {epochs} epoch{'' if epochs == 1 else 's'}" if epochs else ""
        if self.failure is not None:
            return f"failed{after}: {self.failure}"
        if epochs:
            return f"unfinished{after}"
        return "started, no epoch finished" if (self.folder.path / "recipe.yaml").is_file() else "not started"


@dataclass(frozen=True, eq=False)
class Source:
    """A folder that the user named."""

    name: str
    path: Path
    kind: str
    """`experiment`, `run` or `runs` that differ in their seed."""
    question: str
    recipe: Recipe
    recipe_file: str | None
    environment: Mapping[str, Any]
    """Of the experiment, or of the first run; empty if unknown."""
    command: str | None
    """The command that made it."""

    @property
    def corpus_name(self) -> str:
        """The name of its corpus."""
        return str(self.environment.get("corpus_name") or "unknown")


@dataclass(frozen=True, eq=False)
class Row:
    """Runs that differ only in their seed: a line of the tables."""

    name: str
    source: Source
    changes: Mapping[str, object]
    """Setting to value, where it differs from the source's recipe."""
    runs: tuple[PlannedRun, ...]
    """All planned ones."""
    result: RowResult | None
    """Of the finished runs; None if there are none."""

    @property
    def unfinished(self) -> list[PlannedRun]:
        """The planned runs that are not finished."""
        return [run for run in self.runs if run.state]

    @property
    def histories(self) -> list[list[dict[str, Any]]]:
        """metrics.jsonl of every finished run; of the unfinished runs if none is finished."""
        runs = [run for run in self.runs if not run.state] or list(self.runs)
        return [history for run in runs if (history := run.folder.read_metrics())]


@dataclass(frozen=True, eq=False)
class Study:
    """Everything that a report is made of; the numbers are those of `RowResult`, `Group` and `Comparison`."""

    sources: tuple[Source, ...]
    planned: tuple[Row, ...]
    reference_name: str | None
    """The row with which the others are compared."""
    resampling: Resampling

    @cached_property
    def finished(self) -> list[Row]:
        """Rows with a finished run."""
        return [row for row in self.planned if row.result]

    @property
    def rows(self) -> list[RowResult]:
        """The results of the finished rows."""
        return [row.result for row in self.planned if row.result]

    @cached_property
    def reference(self) -> RowResult | None:
        """The result of the reference, if it has a finished run."""
        return next((row for row in self.rows if row.name == self.reference_name), None)

    @cached_property
    def leading(self) -> list[Row]:
        """The rows that are shown in detail: the reference, or the first one of each folder."""
        found = [row for row in self.finished if row.name == self.reference_name]
        if len(self.sources) == 1:
            return found or self.finished[:1]
        others = (next((r for r in self.finished if r.source is source), None) for source in self.sources)
        rest = [row for row in others if row and row.source not in [r.source for r in found]]
        return [*found, *rest]

    @cached_property
    def corpora(self) -> dict[str, str]:
        """Fingerprint to name of every corpus of the finished runs, or else of the folders."""
        of_runs = {str(r.group.values["corpus_sha256"]): str(r.group.values["corpus"]) for r in self.rows}
        planned = {
            str(source.environment["corpus_sha256"]): source.corpus_name
            for source in self.sources
            if source.environment.get("corpus_sha256")
        }
        return of_runs or planned

    @cached_property
    def split(self) -> str:
        """The split of the scores: test, unless a run has no scores on it.

        Raises:
            InputError: The rows have no split in common.
        """
        for split in ("test", "dev"):
            if all(row.measured(split) for row in self.rows):
                return split
        lacking = next(row.name for row in self.rows if not row.measured("test"))
        raise InputError(f"{lacking}: no scores on test, and other rows have none on dev; report on them separately")

    @cached_property
    def systems(self) -> dict[str, System | InputError]:
        """Row to its predictions, or to why they cannot be read."""
        found: dict[str, System | InputError] = {}
        for row in self.rows:
            try:
                found[row.name] = row.group.system(self.split)
            except InputError as error:
                found[row.name] = error
        return found

    @cached_property
    def _compared(self) -> tuple[list[Comparison], str | None]:
        """The comparisons, and why rows are missing from them."""
        if len(self.rows) < 2:
            return [], None
        if len(self.corpora) > 1:
            return [], (
                "the runs used different corpora, or different versions of one "
                f"({', '.join(f'{name} {sha[:12]}' for sha, name in self.corpora.items())}); their scores are "
                "not comparable"
            )
        if self.reference is None:
            return [], f"the reference {self.reference_name} has no finished run"
        broken = {name: system for name, system in self.systems.items() if isinstance(system, InputError)}
        first = self.systems[self.reference.name]
        if isinstance(first, InputError):
            return [], str(first)
        others = [s for name, s in self.systems.items() if isinstance(s, System) and name != self.reference.name]
        why = "; ".join(f"{name} is left out: {error}" for name, error in broken.items()) or None
        try:
            return (compare(first, others, resampling=self.resampling) if others else []), why
        except InputError as error:
            return [], str(error)

    def label(self, row: RowResult) -> str:
        """The name of a row in tables of scores; says if it is the reference."""
        return f"{row.name} (reference)" if self.comparisons and row is self.reference else row.name

    @property
    def comparisons(self) -> list[Comparison]:
        """Each other row against the reference; empty if they cannot be compared."""
        return self._compared[0]

    @property
    def not_compared(self) -> str | None:
        """Why rows are not compared."""
        return self._compared[1]

    @property
    def best(self) -> str | None:
        """The row with the highest mean weighted F1; None with one row or several corpora.

        Of equal rows, the reference.
        """
        if len(self.rows) < 2 or len(self.corpora) > 1:
            return None
        scored = {row.name: of["weighted_f1"].mean for row in self.rows if (of := row.measured(self.split))}
        return max(scored, key=lambda name: (scored[name], name == self.reference_name))


def check_names(rows: Sequence[Row]) -> None:
    """Check that the names of rows are unique.

    Raises:
        InputError: Two have the same name.
    """
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: two rows have this name; rename one, as in OTHER={name}")


def head_name(head: str, *, distilled: bool) -> str:
    """The name of a classifier; teacher and students exist only with self-distillation."""
    if head == FUSED:
        return "teacher (fused)" if distilled else "fused"
    return f"{'student' if distilled else 'branch'} {head}"
