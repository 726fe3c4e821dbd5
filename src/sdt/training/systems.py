"""Finds the systems that a user names on the command line.

`runs/full`, `full=runs/full`, `'runs/full-*'` name runs (see `group`); `mine.jsonl`, `mine=predictions.csv`,
`'mine-*.csv'` name files of predictions, of whatever program (see `sdt.evaluation.predicted`).
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.predicted import read_predicted
from sdt.evaluation.system import System, Truth
from sdt.training.group import Group


@dataclass(frozen=True)
class SystemArgument:
    """One argument of the command line."""

    path: str
    """A path or a pattern."""
    name: str | None
    """What the user calls it."""
    files: tuple[Path, ...]
    """The files of predictions that it means; empty if it means runs."""

    @classmethod
    def of(cls, argument: str) -> SystemArgument:
        """Take `NAME=PATH` apart; a path that exists may hold a `=` itself."""
        name, equals, path = argument.partition("=")
        if Path(argument).exists() or not (equals and name and path) or "/" in name:
            name, path = "", argument
        found = [Path(at) for at in sorted(glob.glob(path))] or [Path(path)]  # noqa: PTH207 - it may be absolute
        return cls(path, name or None, tuple(found) if all(at.is_file() for at in found) else ())


@dataclass(frozen=True, eq=False)
class NamedSystem:
    """What an argument led to."""

    system: System
    group: Group | None
    """The runs; None for files of predictions."""


def find_named_systems(arguments: Sequence[str], split: str, corpus: Corpus | None = None) -> list[NamedSystem]:
    """Read the predictions of every system, in the order of the arguments.

    Args:
        arguments: Paths or patterns of runs or of files of predictions, each perhaps as `NAME=PATH`.
        split: Of the runs, `dev` or `test`.
        corpus: The annotation for files of predictions; without it they use that of the first run or, if no run is
            named, that of the first file.

    Raises:
        InputError: There is nothing at a path, it cannot be read, or a file of predictions has no annotation.
    """
    asked = [SystemArgument.of(argument) for argument in arguments]
    titles = _titles(asked)
    groups = {index: Group.find(of.path) for index, of in enumerate(asked) if not of.files}
    systems = {index: group.system(split, titles[index]) for index, group in groups.items()}
    truth = next((system.truth for system in systems.values()), None)
    if corpus is not None:
        truth = Truth.of_conversations(corpus.split(split), corpus.labels)
    for index, of in enumerate(asked):
        if of.files:
            predicted = [read_predicted(path) for path in of.files]
            truth = truth or Truth.of_file(predicted[0])
            systems[index] = System.of(titles[index], predicted, truth, _seeds(of.files))
    return [NamedSystem(systems[index], groups.get(index)) for index in range(len(asked))]


def find_systems(arguments: Sequence[str], split: str, corpus: Corpus | None = None) -> list[System]:
    """The systems alone; see `find_named_systems`."""
    return [found.system for found in find_named_systems(arguments, split, corpus)]


def _titles(asked: Sequence[SystemArgument]) -> list[str]:
    """What each is called: its name, else the last part of its path where no other ends in the same."""
    last = [of.name or Path(of.path).name for of in asked]
    count = Counter(last)
    titles = [of.name or (short if count[short] == 1 else of.path) for of, short in zip(asked, last, strict=True)]
    if len(set(titles)) < len(titles):
        twice = next(title for title in titles if titles.count(title) > 1)
        raise InputError(f"{twice}: is named twice; give one of the two another name, as in NAME={twice}")
    return titles


def _seeds(files: Sequence[Path]) -> list[int | None]:
    """The last number in each file's name, where all have one and all are different: `mine-3.csv` is of seed 3."""
    numbers = [re.findall(r"\d+", path.stem) for path in files]
    seeds = [int(of[-1]) for of in numbers if of]
    return list(seeds) if len(files) > 1 and len(set(seeds)) == len(files) else [None] * len(files)
