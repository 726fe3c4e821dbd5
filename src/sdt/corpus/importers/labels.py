"""From what a column of labels holds to the labels of a corpus."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sdt.errors import InputError, near_miss, quoted
from sdt.formats.csv_lines import is_number, parse_number

MOST = 50
"""Different labels that a table may have without naming them; published sets of emotions have up to 32."""


class Found(NamedTuple):
    """A spelling of a label in a file."""

    times: int
    line: int
    """Where it first occurs."""


class Labels(NamedTuple):
    """The labels of a corpus."""

    names: tuple[str, ...]
    """In the order of their numbers."""
    of: Mapping[str, str]
    """From each spelling in the file to its label."""
    notes: Sequence[str]


def settle_labels(path: Path, found: Mapping[str, Found], named: tuple[str, ...] | None) -> Labels:
    """Decide which spellings are one label, and in which order the labels are.

    Spellings that differ in case only are one label, called as most utterances call it, or as the first does; so are 1
    and 1.0.

    Args:
        path: The file, for messages.
        found: The spellings, in the order in which they first occur.
        named: The labels and their order, if the user names them.

    Raises:
        InputError: A label is a number with decimals, none of those named, or there are too many or fewer than two.
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
                f"{path}, line {line}: label {quoted(spelling)} is a number with decimals, so a score and no class; "
                "write the class of each range of scores there, or name another column label"
            )
    if len(groups) > MOST:
        raise InputError(
            f"{path}: the column 'label' has {len(groups)} different values, the first {quoted(next(iter(found)))}; "
            "are they classes? Write fewer there (one for each range of scores, say), or name them all with --labels"
        )
    of = {}
    for folded, spellings in groups.items():
        best = max(spellings, key=lambda spelling: found[spelling].times)
        of |= dict.fromkeys(spellings, best if math.isnan(_value(best)) else folded)
    names, order = tuple(sorted(set(of.values()))), "alphabetical"
    if names and all(map(is_number, names)):
        names, order = tuple(sorted(names, key=parse_number)), "numerical"
    if len(names) < 2:
        what = f"is {quoted(names[0])} alone" if names else "is empty throughout"
        raise InputError(
            f"{path}: the column 'label' {what}, and a corpus needs at least two different labels; write the "
            "emotions there, or predict with a trained model: sdt predict"
        )
    listed = f"{path}: labels in {order} order, since --labels does not say another: {', '.join(names)}"
    return Labels(names, of, [*_notes(path, groups, of), listed])


def _as_named(path: Path, found: Mapping[str, Found], named: Sequence[str]) -> dict[str, str]:
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
    """What is said of labels that are called otherwise than in the file."""
    changed = [
        f"{', '.join(other)} as {of[other[0]]}"
        for spellings in groups.values()
        if (other := [spelling for spelling in spellings if of[spelling] != spelling])
    ]
    return [f"{path}: spellings of one label, read as one: {'; '.join(changed)}"] if changed else []


def _folded(label: str) -> str:
    value = _value(label)
    return f"{value:.0f}" if value % 1 == 0 else unicodedata.normalize("NFKC", label).casefold()


def _value(label: str) -> float:
    """The finite number that a label is; NaN for any other."""
    value = parse_number(label, comma=True) if is_number(label, comma=True) else math.nan
    return value if math.isfinite(value) else math.nan
