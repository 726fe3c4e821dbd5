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
    """A run that was made, or that is to be made."""

    seed: int
    folder: RunFolder
    failure: str | None = None
    """Why its last try failed."""

    @property
    def state(self) -> str:
        """In words; empty if it is finished."""
        if self.folder.finished:
            return ""
        epochs = max(len(self.folder.read_metrics()), self.folder.epochs_done)
        after = f" after {epochs} epoch{'' if epochs == 1 else 's'}" if epochs else ""
        if self.failure is not None:
            return f"failed{after}: {self.failure}"
        if epochs:
            return f"unfinished{after}"
        return "begun, no epoch finished" if (self.folder.path / "recipe.yaml").is_file() else "not begun"


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
    """Of the experiment, or of the first run; empty if it is not known."""
    command: str | None
    """What made it."""

    @property
    def corpus_name(self) -> str:
        """What its corpus is called."""
        return str(self.environment.get("corpus_name") or "unknown")


@dataclass(frozen=True, eq=False)
class Row:
    """Runs that differ in nothing but their seed: a line of the tables."""

    name: str
    source: Source
    changes: Mapping[str, object]
    """Setting to value, where it differs from the source's recipe."""
    runs: tuple[PlannedRun, ...]
    """All that were asked for."""
    result: RowResult | None
    """Of the finished ones; None if there is none."""

    @property
    def unfinished(self) -> list[PlannedRun]:
        """The others."""
        return [run for run in self.runs if run.state]

    @property
    def histories(self) -> list[list[dict[str, Any]]]:
        """metrics.jsonl of every finished run; of those that go on where none is finished."""
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
        """The results of these."""
        return [row.result for row in self.planned if row.result]

    @cached_property
    def reference(self) -> RowResult | None:
        """That of the reference, if it has a finished run."""
        return next((row for row in self.rows if row.name == self.reference_name), None)

    @cached_property
    def leading(self) -> list[Row]:
        """The rows that are looked at closely: the reference, or the first one of each folder."""
        found = [row for row in self.finished if row.name == self.reference_name]
        if len(self.sources) == 1:
            return found or self.finished[:1]
        others = (next((r for r in self.finished if r.source is source), None) for source in self.sources)
        rest = [row for row in others if row and row.source not in [r.source for r in found]]
        return [*found, *rest]

    @cached_property
    def corpora(self) -> dict[str, str]:
        """Fingerprint to name of every corpus that finished runs, or else the folders, were made on."""
        of_runs = {str(r.group.values["corpus_sha256"]): str(r.group.values["corpus"]) for r in self.rows}
        planned = {
            str(source.environment["corpus_sha256"]): source.corpus_name
            for source in self.sources
            if source.environment.get("corpus_sha256")
        }
        return of_runs or planned

    @cached_property
    def split(self) -> str:
        """The split that the results are about: test, unless a run did not look at it.

        Raises:
            InputError: The rows have no split in common.
        """
        for split in ("test", "dev"):
            if all(row.measured(split) for row in self.rows):
                return split
        lacking = next(row.name for row in self.rows if not row.measured("test"))
        raise InputError(f"{lacking}: has no scores of test, and others have none of dev; report on them one by one")

    @cached_property
    def systems(self) -> dict[str, System | InputError]:
        """Row to its predictions, or to what is wrong with them."""
        found: dict[str, System | InputError] = {}
        for row in self.rows:
            try:
                found[row.name] = row.group.system(self.split)
            except InputError as error:
                found[row.name] = error
        return found

    @cached_property
    def _compared(self) -> tuple[list[Comparison], str | None]:
        """The comparisons, and why there are none or fewer."""
        if len(self.rows) < 2:
            return [], None
        if len(self.corpora) > 1:
            return [], (
                "the runs were made on different corpora, or on different versions of one "
                f"({', '.join(f'{name} {sha[:12]}' for sha, name in self.corpora.items())}); their scores do not "
                "compare and are shown beside each other only"
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

    @property
    def comparisons(self) -> list[Comparison]:
        """Each other row against the reference; none where they cannot be compared."""
        return self._compared[0]

    @property
    def not_compared(self) -> str | None:
        """Why rows are not compared."""
        return self._compared[1]

    @property
    def best(self) -> str | None:
        """The row with the highest mean weighted F1, where there are several to choose from, on one corpus.

        The reference where another row is level with it.
        """
        if len(self.rows) < 2 or len(self.corpora) > 1:
            return None
        scored = {row.name: of["weighted_f1"].mean for row in self.rows if (of := row.measured(self.split))}
        return max(scored, key=lambda name: (scored[name], name == self.reference_name))


def check_names(rows: Sequence[Row]) -> None:
    """Refuse rows that could not be told apart.

    Raises:
        InputError: Two have the same name.
    """
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: is named twice; give one of the two another name, as in OTHER={name}")


def head_name(head: str, *, distilled: bool) -> str:
    """A head in words: teacher and students exist only where the branches learn from the fused prediction."""
    if head == FUSED:
        return "teacher (fused)" if distilled else "fused"
    return f"{'student' if distilled else 'branch'} {head}"
