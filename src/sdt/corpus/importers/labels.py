"""Resolution of the labels of a corpus from the values of a label column."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sdt.errors import InputError, join_names, near_miss, quoted, shorten
from sdt.formats.parsing.csv_lines import is_number, parse_number

MAX_UNNAMED = 50
"""The largest number of labels without the option --labels; published sets of emotions have up to 32."""


class LabelSpelling(NamedTuple):
    """A spelling of a label in a file."""

    times: int
    """The number of its occurrences."""
    line: int
    """The line of its first occurrence."""


class Labels(NamedTuple):
    """The labels of a corpus."""

    names: tuple[str, ...]
    """The label names in the order of their numbers."""
    of: Mapping[str, str]
    """Each spelling in the file to its label."""
    notes: Sequence[str]
    """Notes for the user, one line each."""


def resolve_labels(path: Path, found: Mapping[str, LabelSpelling], named: tuple[str, ...] | None) -> Labels:
    """Merge the spellings of labels, and order the labels.

    Spellings that differ only in case are one label, named by the most frequent spelling, or the first of them; `1` and
    `1.0` are one label, too.

    Args:
        path: The file, for messages.
        found: The spellings, in the order of their first occurrence.
        named: The label names in their order, if the user gave them.

    Raises:
        InputError: A label is a number with decimals or is not in `named`, or there are fewer than two labels or too
            many.
    """
    groups: dict[str, list[str]] = {}
    for spelling in found:
        groups.setdefault(_folded(spelling), []).append(spelling)
    if named is not None:
        of = _as_named(path, found, named)
        return Labels(named, of, _notes(path, groups, of))
    for spelling, (_, line) in found.items():
        if _value(spelling) % 1 > 0:
            raise InputError(
                f"{path}, line {line}: label {quoted(spelling)} is a score instead of a class; replace scores by "
                "classes, or use another column as 'label'"
            )
    if len(groups) > MAX_UNNAMED:
        raise InputError(
            f"{path}: column 'label' has {len(groups)} different values, first {quoted(next(iter(found)))}; use at "
            f"most {MAX_UNNAMED} classes, or list all of them with --labels"
        )
    of = {}
    for folded, spellings in groups.items():
        best = max(spellings, key=lambda spelling: found[spelling].times)
        of |= dict.fromkeys(spellings, best if math.isnan(_value(best)) else folded)
    names, order = tuple(sorted(set(of.values()))), "alphabetical"
    if names and all(map(is_number, names)):
        names, order = tuple(sorted(names, key=parse_number)), "numerical"
    if len(names) < 2:
        values = f"has only the value {quoted(names[0])}" if names else "is empty"
        raise InputError(
            f"{path}: column 'label' {values}, but a corpus requires at least two different labels; add the annotated "
            "emotions, or predict them with a trained model: sdt predict"
        )
    listed = f"{path}: labels in {order} order (set another with --labels): {join_names(names)}"
    return Labels(names, of, [*_notes(path, groups, of), listed])


def _as_named(path: Path, found: Mapping[str, LabelSpelling], named: Sequence[str]) -> dict[str, str]:
    folded: dict[str, set[str]] = {}
    for name in named:
        folded.setdefault(_folded(name), set()).add(name)
    of = {}
    for spelling, (_, line) in found.items():
        meant = {spelling} & set(named) or folded.get(_folded(spelling), set())
        if len(meant) != 1:
            raise InputError(
                f"{path}, line {line}: label {quoted(spelling)} is not among --labels{near_miss(spelling, named)}"
            )
        (of[spelling],) = meant
    return of


def _notes(path: Path, groups: Mapping[str, Sequence[str]], of: Mapping[str, str]) -> list[str]:
    """A note on the spellings that were changed, if any."""
    changed = [
        f"{join_names(other)} as {shorten(of[other[0]])}"
        for spellings in groups.values()
        if (other := [spelling for spelling in spellings if of[spelling] != spelling])
    ]
    return [f"{path}: spellings of one label merged: {'; '.join(changed)}"] if changed else []


def _folded(label: str) -> str:
    value = _value(label)
    return f"{value:.0f}" if value % 1 == 0 else unicodedata.normalize("NFKC", label).casefold()


def _value(label: str) -> float:
    """The value of a label that is a finite number; NaN for other labels."""
    value = parse_number(label, comma=True) if is_number(label, comma=True) else math.nan
    return value if math.isfinite(value) else math.nan
