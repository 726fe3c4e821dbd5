"""Systems named on the command line.

`runs/full`, `full=runs/full`, `'runs/full-*'` refer to runs (see `group`); `mine.jsonl`, `mine=predictions.csv`,
`'mine-*.csv'` refer to prediction files of any program (see `sdt.evaluation.predicted`).
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
from sdt.evaluation.predicted import read_prediction_file
from sdt.evaluation.system import System, Truth
from sdt.training.group import Group


@dataclass(frozen=True)
class SystemArgument:
    """One argument of the command line."""

    path: str
    """A path or a pattern."""
    name: str | None
    """The name given by the user; None if there is none."""
    files: tuple[Path, ...]
    """The prediction files; empty if the argument refers to runs."""

    @classmethod
    def of(cls, argument: str) -> SystemArgument:
        """Parse `NAME=PATH` or `PATH`; an existing path may contain `=`."""
        name, equals, path = argument.partition("=")
        if Path(argument).exists() or not (equals and name and path) or "/" in name:
            name, path = "", argument
        found = [Path(at) for at in sorted(glob.glob(path))] or [Path(path)]  # noqa: PTH207 - it may be absolute
        return cls(path, name or None, tuple(found) if all(at.is_file() for at in found) else ())


@dataclass(frozen=True, eq=False)
class NamedSystem:
    """The system of an argument."""

    system: System
    """The system."""
    group: Group | None
    """The runs; None for prediction files."""


def resolve_systems(arguments: Sequence[str], split: str, corpus: Corpus | None = None) -> list[NamedSystem]:
    """Read the predictions of every system, in the order of the arguments.

    Args:
        arguments: Paths or patterns of runs or prediction files, optionally as `NAME=PATH`.
        split: Split of the runs, `dev` or `test`.
        corpus: Annotation for prediction files; None to use that of the first run or, without runs, of the first file.

    Raises:
        InputError: A path does not exist or cannot be read, or there is no annotation for a prediction file.
    """
    parsed = [SystemArgument.of(argument) for argument in arguments]
    titles = _titles(parsed)
    groups = {index: Group.find(argument.path) for index, argument in enumerate(parsed) if not argument.files}
    systems = {index: group.system(split, titles[index]) for index, group in groups.items()}
    truth = next((system.truth for system in systems.values()), None)
    if corpus is not None:
        truth = Truth.of_conversations(corpus.split(split), corpus.labels)
    for index, argument in enumerate(parsed):
        if argument.files:
            predicted = [read_prediction_file(path) for path in argument.files]
            truth = truth or Truth.of_file(predicted[0])
            systems[index] = System.of(titles[index], predicted, truth, _seeds(argument.files))
    return [NamedSystem(systems[index], groups.get(index)) for index in range(len(parsed))]


def find_systems(arguments: Sequence[str], split: str, corpus: Corpus | None = None) -> list[System]:
    """Read the systems without their groups; see `resolve_systems`."""
    return [found.system for found in resolve_systems(arguments, split, corpus)]


def _titles(arguments: Sequence[SystemArgument]) -> list[str]:
    """The display name of each system: its name, or the last part of its path if that is unique, or its path."""
    last = [argument.name or Path(argument.path).name for argument in arguments]
    count = Counter(last)
    titles = [x.name or (short if count[short] == 1 else x.path) for x, short in zip(arguments, last, strict=True)]
    if len(set(titles)) < len(titles):
        twice = next(title for title in titles if titles.count(title) > 1)
        raise InputError(f"{twice}: duplicate system; rename one of them, as in NAME={twice}")
    return titles


def _seeds(files: Sequence[Path]) -> list[int | None]:
    """The last number in each file name, if all names have different ones: `mine-3.csv` has seed 3."""
    numbers = [re.findall(r"\d+", path.stem) for path in files]
    seeds = [int(found[-1]) for found in numbers if found]
    return list(seeds) if len(files) > 1 and len(set(seeds)) == len(files) else [None] * len(files)
