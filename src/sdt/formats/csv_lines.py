"""Files of delimited cells: CSV, TSV and what spreadsheets write, with line numbers for error messages.

The encoding is told by the bytes, the delimiter (comma, semicolon, tab, bar; blanks between numbers) by the first line.
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
from sdt.text import decode, repair_windows1252

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_EXCEL = re.compile(r'"?sep=(.)"?')
"""What Excel writes and reads as a first line that names the delimiter."""
_FIRST_LINE = re.compile(r"[^\r\n]*\S[^\r\n]*")


@dataclass(frozen=True)
class Line:
    """One record of a table."""

    number: int
    """The line of the file on which the record begins; the first is 1."""
    cells: list[str]


@dataclass(frozen=True)
class CsvFile:
    """All records of a file, the header among them."""

    lines: list[Line]
    delimiter: str
    notes: list[str] = field(default_factory=list)
    """How the encoding was understood, one line each."""

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)


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


def detect_text(path: Path, encoding: str | None = None) -> tuple[str, list[str]]:
    """Read a text file of any encoding that `sdt predict` reads, and notes on how it was understood.

    Args:
        path: The file.
        encoding: Python's name of its encoding; None to tell it by the bytes, see `sdt.text.decode`.

    Returns:
        The text, its lines ending with a line feed alone and Windows-1252 control characters repaired; and the notes.

    Raises:
        InputError: It cannot be read, is empty, not in that encoding, or no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    text, name, note = decode(str(path), data, encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: contains a NUL byte, so it is not text")
    notes = [f"{path}: {note}"] if note else []
    repaired = repair_windows1252(text)
    if repaired != text and name != "latin-1":
        count = sum(a != b for a, b in zip(text, repaired, strict=True))
        notes.append(f"{path}: Windows-1252 control characters repaired: {count}")
    return repaired, notes


def delimiter_of(line: str) -> str:
    """The delimiter of the first line of a table.

    Example:
        >>> delimiter_of("speaker;text;label"), delimiter_of("0,5;1,25"), delimiter_of("1.5 2.0")
        (';', ';', ' ')
    """
    cells = {delimiter: _split(line, delimiter) for delimiter in DELIMITERS}
    for delimiter in DELIMITERS[1:]:
        if len(cells[delimiter]) > 1 and all(is_number(cell, comma=True) for cell in cells[delimiter]):
            return delimiter
    best = max(DELIMITERS, key=lambda delimiter: len(cells[delimiter]))
    blanks = line.split()
    return " " if len(cells[best]) == 1 and len(blanks) > 1 and all(map(is_number, blanks)) else best


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of a line; empty if quotes occur within a cell."""
    try:
        return next(csv.reader([line], strict=True, delimiter=delimiter), [])
    except csv.Error:
        return []


def read_header(path: Path, encoding: str | None = None) -> list[str]:
    """Read the cells of a table's first record; of a large file in UTF-8 no more than that.

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
    if line and "\0" not in line and (cells := _split(line, named[1] if named else delimiter_of(line))):
        return [cell.strip() for cell in cells]
    # Where there is none at the very beginning, reading it all finds it further down or says what is wrong.
    return [cell.strip() for cell in read_csv(path, encoding=encoding).lines[0].cells]


def read_csv(path: Path, *, encoding: str | None = None) -> CsvFile:
    """Read all records of a table, the header among them; blank lines are left out.

    Args:
        path: The file.
        encoding: Python's name of the encoding; None to tell it by the bytes.

    Raises:
        InputError: The file cannot be read, is no text or no table, is empty, or a record has another number of cells
            than the first.
    """
    text, notes = detect_text(path, encoding)
    first = _FIRST_LINE.search(text)
    skipped = 0
    if named := first and _EXCEL.fullmatch(first[0].strip(" ")):
        before, text = text[: first.end()], text[first.end() :]
        skipped = before.count("\n")
        first = _FIRST_LINE.search(text)
    delimiter = named[1] if named else delimiter_of(first[0] if first else "")
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
        raise InputError(f"{path}, line {begin + skipped}: not CSV ({error}); is the file cut off?") from None
    if not lines:
        raise InputError(f"{path}: the file is empty")
    expected = len(lines[0].cells)
    for line in lines:
        if len(line.cells) != expected:
            raise InputError(
                f"{path}, line {line.number}: {len(line.cells)} cells, but line {lines[0].number} has {expected}"
            )
    return CsvFile(lines, delimiter, notes)


def number(cell: str, *, comma: bool = False) -> float:
    """The number in a cell; NaN for an empty one.

    Args:
        cell: The cell.
        comma: Whether `0,5` is a number too.

    Raises:
        ValueError: It is no number.
    """
    if not cell.strip():
        return math.nan
    if "_" in cell:  # float() would read the key 12_3 as 123
        raise ValueError(cell)
    if comma and _DECIMAL_COMMA.fullmatch(cell.strip()):
        cell = cell.replace(",", ".")
    return float(cell)


def is_number(cell: str, *, comma: bool = False) -> bool:
    """Whether a cell is empty or holds a number (`nan` and `inf` too)."""
    try:
        number(cell, comma=comma)
    except ValueError:
        return False
    return True
