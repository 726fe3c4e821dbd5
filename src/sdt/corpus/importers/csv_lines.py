"""CSV files as the importers read them: UTF-8, with line numbers for error messages."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from sdt.errors import InputError


@dataclass(frozen=True)
class Line:
    """One record of a CSV file."""

    number: int
    """The line of the file on which the record begins; the first is 1."""
    cells: list[str]


def read_text(path: Path, *, encoding: str = "utf-8-sig") -> str:
    """Read a text file, its line ends as they are.

    Raises:
        InputError: It cannot be read, or is not in that encoding; says on which line.
    """
    try:
        return path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        line, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        raise InputError(
            f"{path}, line {line}: not {encoding.removesuffix('-sig').upper()} (byte {byte:#04x}); save the file as "
            "UTF-8, or give its encoding with --encoding"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def read_header(path: Path, encoding: str | None = None) -> list[str]:
    """Read the cells of the first record of a CSV file, of UTF-8 unless another encoding is given.

    Raises:
        InputError: See `read_csv`.
    """
    try:
        with path.open(encoding=encoding or "utf-8-sig", newline="") as file:
            header = next(csv.reader(file, strict=True), [])
    except (UnicodeDecodeError, csv.Error, OSError):
        header = []
    # Where there is none at the very beginning, reading it all finds it further down or says what is wrong.
    return [cell.strip() for cell in header or read_csv(path, encoding=encoding or "utf-8-sig")[0].cells]


def read_csv(path: Path, *, encoding: str = "utf-8-sig", delimiter: str = ",") -> list[Line]:
    """Read all records of a CSV file, the header among them; blank lines are left out.

    Raises:
        InputError: The file cannot be read, is not UTF-8, is not CSV, is empty, or a record has another number of
            cells than the first.
    """
    lines: list[Line] = []
    reader = csv.reader(io.StringIO(read_text(path, encoding=encoding), newline=""), strict=True, delimiter=delimiter)
    begin = 1
    try:
        for cells in reader:
            if cells:
                lines.append(Line(begin, cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {begin}: not CSV ({error}); is the file cut off?") from None
    if not lines:
        raise InputError(f"{path}: the file is empty")
    expected = len(lines[0].cells)
    for line in lines:
        if len(line.cells) != expected:
            raise InputError(
                f"{path}, line {line.number}: {len(line.cells)} cells, but line {lines[0].number} has {expected}"
            )
    return lines


def number(cell: str) -> float:
    """The number in a cell; NaN for an empty one.

    Raises:
        ValueError: It is no number.
    """
    if not cell.strip():
        return math.nan
    if "_" in cell:  # float() would read the key 12_3 as 123
        raise ValueError(cell)
    return float(cell)


def is_number(cell: str) -> bool:
    """Whether a cell is empty or holds a number (`nan` and `inf` too)."""
    try:
        number(cell)
    except ValueError:
        return False
    return True
