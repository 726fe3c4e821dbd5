"""Column names and cell values of tables: aliases, misspelt names, text, numbers and times."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from sdt.errors import InputError, join_names, quoted
from sdt.formats.parsing.csv_lines import parse_number
from sdt.formats.parsing.times import parse_seconds
from sdt.text import repair_windows1252

_ALIASES = {
    "speaker name": "speaker", "start time": "start", "end time": "end", "transcript": "text", "sentence": "text",
}  # fmt: skip


def canonical_names(names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Map the names of columns such as `Text`, `SPEAKER` or `Start Time` to canonical names, unless ambiguous.

    Args:
        names: The names in the file.
        columns: The canonical names.
    """
    found = {name: own for name in names if name not in columns and (own := canonical_name(name)) in columns}
    return {name: own for name, own in found.items() if own not in names and [*found.values()].count(own) == 1}


def canonical_name(name: str) -> str:
    """The canonical form of the name of a column."""
    small = " ".join(re.split(r"[\s_-]+", name.casefold()))
    return _ALIASES.get(small, small)


def check_columns(
    path: Path, found: Sequence[str], *, columns: Sequence[str], required: Sequence[str] = ()
) -> tuple[str, ...]:
    """Find unknown columns.

    Args:
        path: The file, for error messages.
        found: The columns of the file.
        columns: The known columns.
        required: The required columns.

    Returns:
        The unknown columns.

    Raises:
        InputError: An unknown column is a misspelt known one, or a required column is missing.
    """
    unknown = [name for name in found if name not in columns]
    absent = [column for column in columns if column not in found]
    for name in unknown:
        meant = difflib.get_close_matches(name.lower(), absent, n=1, cutoff=0.75)
        if meant:
            raise InputError(f"{path}: unknown column {quoted(name)}; did you mean {quoted(meant[0])}?")
    for column in required:
        if column in absent:
            raise InputError(f"{path}: column {quoted(column)} is missing; found are: {join_names(found[:12])}")
    return tuple(unknown)


def cell_text(where: str, column: str, value: object) -> str | None:
    """A value as text without surrounding white space; None for an empty value."""
    if value is None or value != value:  # NaN, as Python writes it into JSON
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where}: {column} is {json.dumps(value)[:40]}; expected text or a number")
    text = str(value).strip()
    try:
        if not text.isascii():
            text.encode("utf-8")
            text = repair_windows1252(text)
    except UnicodeEncodeError:
        raise InputError(f"{where}: {column} contains an unpaired surrogate, which is not a character") from None
    return text or None


def cell_number(where: str, column: str, text: str | None) -> float | None:
    """The finite number in a cell; None for an empty cell."""
    if text is None:
        return None
    try:
        value = parse_number(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} {quoted(text)} is not a number")
    return value


def cell_seconds(where: str, column: str, text: str | None) -> float | None:
    """The time in a cell in seconds; None for an empty cell."""
    try:
        return parse_seconds(text or "")
    except ValueError:
        raise InputError(f"{where}: {column} {quoted(text)} is not a time; expected seconds or HH:MM:SS.mmm") from None
