"""The plan of an experiment: rows of settings, each run with the same seeds.

    EXPERIMENT/experiment.json   question, recipe, rows with their overrides, seeds, command, environment
    EXPERIMENT/ROW/seed-N/       a run folder
    EXPERIMENT/results.json, results.md   results, updated when runs end

Every run uses the number of threads in experiment.json, because sums depend on it. Results therefore do not depend on
the number of concurrent runs.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sdt.errors import InputError, near_miss
from sdt.files import write_text
from sdt.training.recipe import Recipe, changed, flat, unflat

FORMAT = 1
FILE = "experiment.json"
_NOT_COMPARED = ("corpus", "output", "seed")


@dataclass(frozen=True)
class Row:
    """One row of an experiment."""

    name: str
    """Name of the row and of its folder."""
    overrides: Mapping[str, object]
    """Settings that differ from the recipe."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w+=,-][\w.+=,-]*", self.name):
            raise InputError(f"invalid row name {self.name!r}; use letters, digits and the characters _ . + = , -")


@dataclass(frozen=True)
class ExperimentRows:
    """The rows of an experiment."""

    question: str
    """The question that the experiment answers."""
    rows: tuple[Row, ...]
    """The rows."""
    reference: str
    """Name of the row with which the others are compared."""
    omitted: tuple[str, ...] = ()
    """Omitted rows, each with the reason."""

    def only(self, names: Sequence[str]) -> ExperimentRows:
        """Select rows by name, and the reference.

        Raises:
            InputError: A row does not exist.
        """
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                raise InputError(f"--rows: unknown row {name!r}{near_miss(name, known)}")
        kept = tuple(row for row in self.rows if row.name in names or row.name == self.reference)
        return replace(self, rows=kept)


@dataclass(frozen=True)
class Job:
    """One run of an experiment."""

    row: str
    recipe: Recipe
    folder: Path
    command: list[str]
    """The command line that trains only this run."""

    @property
    def name(self) -> str:
        """`ROW/seed-N`."""
        return f"{self.row}/{self.folder.name}"


@dataclass(frozen=True)
class Plan:
    """The plan of an experiment."""

    question: str
    """The question that the experiment answers."""
    recipe: Recipe
    """The common recipe of all rows; its seed and output are ignored."""
    rows: tuple[Row, ...]
    """The rows."""
    seeds: tuple[int, ...]
    """The seeds of each row."""
    threads: int
    """Number of threads per run."""
    reference: str | None
    """Name of the row with which the others are compared; None for a single row."""
    recipe_file: str
    """Path of the recipe, for commands that repeat a run."""
    options: tuple[str, ...] = ()
    """Options that override the recipe, for the same commands."""

    @property
    def cross_validated(self) -> bool:
        """Whether the rows are folds of cross-validation, which have different test sets."""
        return self.recipe.cross_validation.enabled

    def recipe_of(self, row: Row, seed: int | None = None) -> Recipe:
        """Return the recipe of a run.

        Raises:
            InputError: An override is not a setting, or contradicts another.
        """
        try:
            recipe = changed(self.recipe, row.overrides)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from None
        return dataclasses.replace(recipe, seed=self.recipe.seed if seed is None else seed, output=None)

    def jobs(self, folder: Path) -> Iterator[Job]:
        """Yield every run, ordered by seed, so that a table of all rows is available early."""
        recipes = {row.name: self.recipe_of(row) for row in self.rows}
        for seed in self.seeds:
            for name, recipe in recipes.items():
                path = folder / name / f"seed-{seed}"
                yield Job(name, dataclasses.replace(recipe, seed=seed), path, self._command(name, seed, path))

    def _command(self, row: str, seed: int, path: Path) -> list[str]:
        overrides = next(other.overrides for other in self.rows if other.name == row)
        changes = [f"--{key}={option_text(value)}" for key, value in overrides.items()]
        command = ["sdt", "train", self.recipe_file, *self.options, *changes]
        return [*command, f"--seed={seed}", f"--output={path}"]

    def merged(self, other: Plan, where: Path) -> Plan:
        """Add the rows and seeds of another plan of the same experiment.

        Args:
            other: The other plan.
            where: The experiment's folder, for messages.

        Raises:
            InputError: The recipes, the threads or the overrides of a row differ.
        """
        mine, asked = flat(self.recipe), flat(other.recipe)
        for key in mine | asked:
            if key not in _NOT_COMPARED and mine.get(key) != asked.get(key):
                raise _differs(where, key, mine.get(key), asked.get(key))
        if self.threads != other.threads:
            raise _differs(where, "threads", self.threads, other.threads)
        compared = len(other.rows) > 1 and not self.cross_validated
        known = {row.name: row for row in self.rows}
        for row in other.rows:
            if row.name in known and dict(known[row.name].overrides) != dict(row.overrides):
                raise _differs(where, f"row {row.name}", dict(known[row.name].overrides), dict(row.overrides))
        return dataclasses.replace(
            self,
            question=other.question,
            recipe=other.recipe,
            recipe_file=other.recipe_file,
            options=other.options,
            rows=(*self.rows, *(row for row in other.rows if row.name not in known)),
            seeds=tuple(sorted({*self.seeds, *other.seeds})),
            reference=self.reference or other.reference or (self.rows[0].name if compared else None),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "question": self.question,
            "recipe_file": self.recipe_file,
            "options": list(self.options),
            "recipe": flat(self.recipe),
            "rows": [{"name": row.name, "overrides": dict(row.overrides)} for row in self.rows],
            "reference": self.reference,
            "seeds": list(self.seeds),
            "threads_per_run": self.threads,
        }

    def write(self, folder: Path, more: Mapping[str, Any]) -> None:
        """Write experiment.json; `more` are additional values such as command and environment."""
        values = {"format": FORMAT, **self.to_dict(), **more}
        write_text(folder / FILE, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_plan(folder: Path) -> tuple[Plan, dict[str, Any]]:
    """Read experiment.json; returns the plan and the whole content.

    Raises:
        InputError: The file is missing, damaged or of another format version.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise InputError(f"{path}: format {values['format']} is not supported; expected {FORMAT}")
        plan = Plan(
            question=values["question"],
            recipe=unflat(values["recipe"]),
            rows=tuple(Row(row["name"], dict(row["overrides"])) for row in values["rows"]),
            seeds=tuple(map(int, values["seeds"])),
            threads=int(values["threads_per_run"]),
            reference=values["reference"],
            recipe_file=values["recipe_file"],
            options=tuple(values["options"]),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except FileNotFoundError:
        raise InputError(f"{folder}: not an experiment folder; {FILE} not found") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); name another folder") from None
    return plan, values


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse `0-9`, `1,2,5` or `0-4,7` into sorted, unique numbers.

    Raises:
        InputError: The text is invalid.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise InputError(f"--seeds {text}: {part!r} is neither a seed nor a range; expected 0-9 or 1,2,5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first >= 10_000:
            raise InputError(f"--seeds {text}: {last - first + 1} seeds are more than the maximum of 10000")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def format_seeds(seeds: Sequence[int]) -> str:
    """Format seeds as ranges, such as `0-4, 7`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def option_text(value: object) -> str:
    """Format the value of a setting for the command line."""
    if isinstance(value, str):
        return value
    return ",".join(value) if isinstance(value, list) and isinstance(value[0], str) else json.dumps(value)


def _differs(where: Path, what: str, mine: object, asked: object) -> InputError:
    return InputError(
        f"{where}: cannot resume with other settings: {what} is {json.dumps(mine)} in the experiment, but "
        f"{json.dumps(asked)} now; use the settings of the experiment, or name another folder with --output"
    )
