"""The plan of an experiment: rows of settings, each run with the same seeds.

    EXPERIMENT/experiment.json   question, recipe, rows with their overrides, seeds, command, environment
    EXPERIMENT/ROW/seed-N/       a run folder
    EXPERIMENT/results.json, results.md   what came of it, written anew whenever runs have ended

Every run computes with the number of threads that experiment.json names, since sums depend on it: so the numbers do not
depend on how many runs go on at once.
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
    """One line of the table."""

    name: str
    """Also that of its folder."""
    overrides: Mapping[str, object]
    """Setting to value, where the row differs from the recipe."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w+=,-][\w.+=,-]*", self.name):
            raise InputError(f"{self.name!r} cannot be the name of a row, which is that of a folder, too")


@dataclass(frozen=True)
class ExperimentRows:
    """The rows of an experiment."""

    question: str
    rows: tuple[Row, ...]
    reference: str
    left_out: tuple[str, ...] = ()
    """Rows that would say nothing here, each with the reason."""

    def only(self, names: Sequence[str]) -> ExperimentRows:
        """Some of the rows, and the reference.

        Raises:
            InputError: The row does not exist.
        """
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                raise InputError(f"--rows: there is no row {name!r}{near_miss(name, known)}")
        kept = tuple(row for row in self.rows if row.name in names or row.name == self.reference)
        return replace(self, rows=kept)


@dataclass(frozen=True)
class Job:
    """One run of an experiment."""

    row: str
    recipe: Recipe
    folder: Path
    command: list[str]
    """The command line that makes this run by itself."""

    @property
    def name(self) -> str:
        """`ROW/seed-N`."""
        return f"{self.row}/{self.folder.name}"


@dataclass(frozen=True)
class Plan:
    """What an experiment consists of."""

    question: str
    """What it is to answer, in words."""
    recipe: Recipe
    """What all rows have in common; its seed and output are not looked at."""
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    threads: int
    """Of each run."""
    reference: str | None
    """The row with which the others are compared; None if there is but one."""
    recipe_file: str
    """Where the recipe was read from, for commands that repeat a run."""
    options: tuple[str, ...] = ()
    """What overrode the recipe, for the same."""

    def recipe_of(self, row: Row, seed: int | None = None) -> Recipe:
        """The settings of a run.

        Raises:
            InputError: An override is not a setting, or contradicts another.
        """
        try:
            recipe = changed(self.recipe, row.overrides)
        except InputError as error:
            raise InputError(f"row {row.name}: {error}") from None
        return dataclasses.replace(recipe, seed=self.recipe.seed if seed is None else seed, output=None)

    def jobs(self, folder: Path) -> Iterator[Job]:
        """Every run. The first seed of all rows comes first, so that a table is there early."""
        recipes = {row.name: self.recipe_of(row) for row in self.rows}
        for seed in self.seeds:
            for name, recipe in recipes.items():
                place = folder / name / f"seed-{seed}"
                yield Job(name, dataclasses.replace(recipe, seed=seed), place, self._command(name, seed, place))

    def _command(self, row: str, seed: int, place: Path) -> list[str]:
        overrides = next(of.overrides for of in self.rows if of.name == row)
        changes = [f"--{key}={option_text(value)}" for key, value in overrides.items()]
        here = ["sdt", "train", self.recipe_file, *self.options, *changes]
        return [*here, f"--seed={seed}", f"--output={place}"]

    def joined(self, other: Plan, where: Path) -> Plan:
        """This plan with the further rows and seeds of another of the same experiment.

        Args:
            other: What is asked for now.
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
            reference=self.reference or other.reference or (self.rows[0].name if len(other.rows) > 1 else None),
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
        """Write experiment.json; `more` is what else it holds, such as command and environment."""
        values = {"format": FORMAT, **self.to_dict(), **more}
        write_text(folder / FILE, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_plan(folder: Path) -> tuple[Plan, dict[str, Any]]:
    """experiment.json: as a plan, and all of it.

    Raises:
        InputError: It is missing, damaged or of another format.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise InputError(f"{path}: format {values['format']}, but this program reads format {FORMAT}")
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
        raise InputError(f"{folder}: not an experiment's folder (it has no {FILE})") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); name another folder") from None
    return plan, values


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-9`, `1,2,5` or `0-4,7` as numbers, in order, each once.

    Raises:
        InputError: It is not of this form.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise InputError(f"--seeds {text}: {part!r} is not a seed and no range; expected such as 0-9 or 1,2,5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first >= 10_000:
            raise InputError(f"--seeds {text}: these are {last - first + 1} runs of every row")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def spoken_seeds(seeds: Sequence[int]) -> str:
    """The opposite of `parse_seeds`: `0-4, 7`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def option_text(value: object) -> str:
    """A setting's value as the command line takes it."""
    if isinstance(value, str):
        return value
    return ",".join(value) if isinstance(value, list) and isinstance(value[0], str) else json.dumps(value)


def _differs(where: Path, what: str, mine: object, asked: object) -> InputError:
    return InputError(
        f"{where}: cannot resume with other settings: the experiment has {what} {json.dumps(mine)}, asked for is "
        f"{json.dumps(asked)}; give the experiment's settings, or name another folder with --output"
    )
