"""Reader of delimited text: CSV, TSV and exports of spreadsheets, with line numbers for error messages.

The encoding is detected from the bytes, and the delimiter (comma, semicolon, tab, vertical bar; spaces between numbers)
from the first line.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.parsing.decoding import decode_text

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_EXCEL = re.compile(r'"?sep=(.)"?')
"""The first line by which Excel declares the delimiter."""
_FIRST_LINE = re.compile(r"[^\r\n]*\S[^\r\n]*")


@dataclass(frozen=True)
class Line:
    """A record of a table."""

    number: int
    """The line of the file on which the record begins, from 1."""
    cells: list[str]


@dataclass(frozen=True)
class CsvFile:
    """All records of a file, including the header."""

    lines: list[Line]
    delimiter: str
    notes: list[str] = field(default_factory=list)
    """Notes on the encoding, one line each."""

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)


def read_text(path: Path, *, encoding: str = "utf-8-sig") -> str:
    """Read a text file without changing its line ends.

    Raises:
        InputError: The file cannot be read, or a line is invalid in this encoding.
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


def read_text_detecting(path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """Read a text file of any size, and detect its encoding.

    Args:
        path: The file.
        encoding: Python's name of the encoding; None detects it, see `sdt.text.decode`.

    Returns:
        The text, with line feeds as line ends and repaired Windows-1252 control characters; and notes on the encoding.

    Raises:
        InputError: The file cannot be read, is empty, is not text, or has another encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    decoded = decode_text(path, data, encoding)
    return decoded.text, [f"{path}: {note}" for note in decoded.notes]


def detect_delimiter(line: str) -> str:
    """Detect the delimiter of a table from its first line.

    Example:
        >>> detect_delimiter("speaker;text;label"), detect_delimiter("0,5;1,25"), detect_delimiter("1.5 2.0")
        (';', ';', ' ')
    """
    cells = {delimiter: _split(line, delimiter) for delimiter in DELIMITERS}
    for delimiter in DELIMITERS[1:]:
        if len(cells[delimiter]) > 1 and all(is_number(cell, comma=True) for cell in cells[delimiter]):
            return delimiter
    best = max(DELIMITERS, key=lambda delimiter: len(cells[delimiter]))
    words = line.split()
    return " " if len(cells[best]) == 1 and len(words) > 1 and all(map(is_number, words)) else best


def _split(line: str, delimiter: str) -> list[str]:
    """Split a line into cells; empty if quotes occur within a cell."""
    try:
        return next(csv.reader([line], strict=True, delimiter=delimiter), [])
    except csv.Error:
        return []


def read_header(path: Path, encoding: str | None = None) -> list[str]:
    """Read the cells of the first record of a table; a UTF-8 file is not read any further.

    Raises:
        InputError: See `read_csv`.
    """
    try:
        with path.open(encoding=encoding or "utf-8-sig") as file:
            lines = (line.rstrip("\n") for line in file if line.strip())
            line = next(lines, "")
            named = _EXCEL.fullmatch(line)
            line = next(lines, "") if named else line
    except (UnicodeError, LookupError, OSError):
        line = ""
    if line and "\0" not in line and (cells := _split(line, named[1] if named else detect_delimiter(line))):
        return [cell.strip() for cell in cells]
    # Reading the whole file finds a header further down, or raises a precise error.
    return [cell.strip() for cell in read_csv(path, encoding=encoding).lines[0].cells]


def read_csv(path: Path, *, encoding: str | None = None) -> CsvFile:
    """Read all records of a table, including the header; blank lines are ignored.

    Args:
        path: The file.
        encoding: Python's name of the encoding; None detects it.

    Raises:
        InputError: The file cannot be read, is not text, is not a table or is empty, or its records have different
            numbers of cells.
    """
    text, notes = read_text_detecting(path, encoding)
    first = _FIRST_LINE.search(text)
    skipped = 0
    if named := first and _EXCEL.fullmatch(first[0].strip(" ")):
        before, text = text[: first.end()], text[first.end() :]
        skipped = before.count("\n")
        first = _FIRST_LINE.search(text)
    delimiter = named[1] if named else detect_delimiter(first[0] if first else "")
    lines: list[Line] = []
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, delimiter=delimiter, skipinitialspace=delimiter == " "
    )
    begin = 1
    try:
        for cells in reader:
            if cells:
                lines.append(Line(begin + skipped, cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {begin + skipped}: not CSV ({error}); is the file truncated?") from None
    if not lines:
        raise InputError(f"{path}: the file is empty")
    expected = len(lines[0].cells)
    for line in lines:
        if len(line.cells) != expected:
            raise InputError(
                f"{path}, line {line.number}: {len(line.cells)} cells, but line {lines[0].number} has {expected}"
            )
    return CsvFile(lines, delimiter, notes)


def parse_number(cell: str, *, comma: bool = False) -> float:
    """Parse the number in a cell; NaN for an empty cell.

    Args:
        cell: The cell.
        comma: Whether a comma is a decimal separator, too.

    Raises:
        ValueError: The cell is not a number.
    """
    if not cell.strip():
        return math.nan
    if "_" in cell:  # float() would read the key 12_3 as 123
        raise ValueError(cell)
    if comma and _DECIMAL_COMMA.fullmatch(cell.strip()):
        cell = cell.replace(",", ".")
    return float(cell)


def is_number(cell: str, *, comma: bool = False) -> bool:
    """Whether a cell is empty or a number, including `nan` and `inf`."""
    try:
        parse_number(cell, comma=comma)
    except ValueError:
        return False
    return True
