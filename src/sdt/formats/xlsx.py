"""Excel workbooks (`.xlsx`): an utterance a row, with a header, as in CSV. Requires openpyxl.

A workbook with several sheets of utterances has a conversation for each of them, with the name of the sheet, unless a
column names the conversations; other sheets are ignored with a note. Formulas are never evaluated: their value is what
the spreadsheet program stored. Written cells are text or numbers, never formulas.
"""

from __future__ import annotations

import datetime
import itertools
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from sdt.errors import InputError, MissingDependencyError, join_names, quoted
from sdt.files import max_expanded_bytes
from sdt.formats.csv_table import CSV
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.columns import canonical_name
from sdt.formats.parsing.turn_records import COLUMNS, is_meld, read_records
from sdt.formats.records import flatten, transcript_records
from sdt.formats.transcript import Transcript, assemble, tidy

_SUFFIXES = (".xlsx",)
_MAX_CELL = 32_767
"""Characters of a cell; Excel's limit."""
_MAX_CELLS = 20_000_000
_MAX_MEMBERS = 10_000
_UTTERANCES = "utterances"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""A character in a cell, as Excel writes those that XML cannot contain."""
_DECIMALS = "0.000###"
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")


def matches(path: Path, head: bytes) -> bool:
    """Whether a file is a ZIP archive with a workbook in it."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def read(path: Path) -> Transcript:
    """Read a workbook.

    Raises:
        MissingDependencyError: openpyxl is not installed.
        InputError: The file is damaged or far larger than its size allows, no sheet has utterances, a column is
            misspelt, or a cell has an invalid value.
    """
    _check_size(path)
    tables, ignored = [], []
    for sheet, rows in _read_sheets(path):
        names = [tidy(str(cell or "")) for cell in rows[0]] if rows else []
        if not _is_table(names):
            ignored.append(sheet)
            continue
        repeated = next((name for name in names if name and names.count(name) > 1), None)
        if repeated is not None:
            raise InputError(f"{path}, sheet {quoted(sheet)}: column {quoted(repeated)} occurs twice")
        tables.append((sheet, names, rows[1:]))
    if not tables:
        raise InputError(
            f"{path}: no sheet has utterances; the first row of a sheet names the columns, such as speaker and text"
        )
    turns, notes = [], []
    for sheet, names, rows in tables:
        records = []
        for line, cells in enumerate(rows, start=2):
            record = {
                name: _shown(name, cell)
                for name, cell in zip(names, [*cells, *[None] * len(names)], strict=False)
                if name
            }
            if any(value not in (None, "") for value in record.values()):
                records.append((line, record))
        if len(tables) > 1 and "conversation" not in map(canonical_name, names):
            records = [(line, {**record, "conversation": sheet}) for line, record in records]
        found, of_sheet = read_records(path, records)
        turns += found
        notes += [f"sheet {quoted(sheet)}: {note}" if len(tables) > 1 else note for note in of_sheet]
    if ignored:
        notes.append(f"sheets ignored, which have no utterances: {join_names(ignored[:12])}")
    return assemble(path, turns, notes)


def write(transcript: Transcript, path: Path) -> None:
    """Write a workbook with one sheet.

    Raises:
        MissingDependencyError: openpyxl is not installed.
        InputError: A text is longer than a cell can hold.
    """
    openpyxl = _openpyxl("writing")
    from openpyxl.cell import WriteOnlyCell

    rows = [flatten(record) for record in transcript_records(transcript, path)]
    for number, row in enumerate(rows, start=2):
        long = next((name for name, value in row.items() if isinstance(value, str) and len(value) > _MAX_CELL), None)
        if long is not None:
            raise InputError(f"{path}, row {number}: {long} exceeds {_MAX_CELL:,} characters, Excel's limit; write csv")
    names = list(dict.fromkeys(name for row in rows for name in row))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(_UTTERANCES)
    sheet.freeze_panes = "A2"
    header: dict[str, object] = {name: name for name in names}
    for row in (header, *rows):
        cells = []
        for name in names:
            value = row.get(name)
            cell = WriteOnlyCell(sheet, _escaped(value) if isinstance(value, str) else value)
            if isinstance(value, str):
                cell.data_type = "s"  # also for text that begins as a formula does
            elif isinstance(value, float):
                cell.number_format = _DECIMALS
            cells.append(cell)
        sheet.append(cells)
    book.save(path)


def _openpyxl(what: str) -> Any:  # noqa: ANN401 - openpyxl has no types
    try:
        import openpyxl
    except ImportError:
        raise MissingDependencyError(
            f"{what} Excel workbooks requires openpyxl; install it with: pip install 'sdt-erc[xlsx]'"
        ) from None
    return openpyxl


def _check_size(path: Path) -> None:
    """Refuse an archive that would expand to far more than its size, before it is expanded."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as an Excel workbook, damaged or truncated ({error})") from None
    expanded, limit = sum(member.file_size for member in members), max_expanded_bytes(path.stat().st_size)
    if expanded > limit or len(members) > _MAX_MEMBERS:
        raise InputError(
            f"{path}: expands to {expanded:,} bytes in {len(members):,} parts, more than the limit of {limit:,} bytes "
            f"and {_MAX_MEMBERS:,} parts; is it damaged?"
        )


def _read_sheets(path: Path) -> list[tuple[str, list[list[object]]]]:
    """The names of the sheets and their rows of cells."""
    try:
        # openpyxl keeps the file open as long as it reads.
        with path.open("rb") as file, path.open("rb") as other:
            sheets = _sheets(file, stored=True)
            formulas = _sheets(other, stored=False) if _has_formulas(path) else []
            found, cells = [], 0
            for sheet, of_sheet in itertools.zip_longest(sheets, formulas):
                where = f"{path}, sheet {quoted(sheet.title)}"
                rows = []
                others = of_sheet.iter_rows() if of_sheet else itertools.repeat(())
                for row, of_row in zip(sheet.iter_rows(), others, strict=False):
                    cells += len(row) + 1
                    if cells > _MAX_CELLS:
                        raise InputError(f"{where}: more than {_MAX_CELLS:,} cells")
                    _check_formulas(where, row, of_row)
                    rows.append([_value(cell) for cell in row])
                found.append((sheet.title, rows))
            return found
    except InputError:
        raise
    except Exception as error:  # openpyxl raises anything for a damaged file
        raise InputError(
            f"{path}: cannot be read as an Excel workbook, damaged or truncated ({type(error).__name__}: "
            f"{quoted(str(error))})"
        ) from None


def _sheets(file: BinaryIO, *, stored: bool) -> list[Any]:
    """The sheets with the stored values of formulas, or with the formulas."""
    found: list[Any] = (
        _openpyxl("reading").load_workbook(file, read_only=True, data_only=stored, keep_links=False).worksheets
    )
    for sheet in found:
        sheet.reset_dimensions()  # a file can claim any size
    return found


def _check_formulas(where: str, row: Sequence[Any], formulas: Sequence[Any]) -> None:
    """Refuse formulas without a stored value, which would be read as empty cells."""
    for cell, formula in zip(row, formulas, strict=False):
        if cell.value is None and formula.data_type == "f":
            raise InputError(
                f"{where}, cell {formula.coordinate}: a formula without a stored value; save the file in a spreadsheet "
                "program, or replace the formula by its value"
            )


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(_FORMULA.search(archive.read(name)) for name in sheets)


def _is_table(names: Sequence[str]) -> bool:
    """Whether the header is that of a table of utterances; CSV requires more, as it is also recognised by it."""
    known = {canonical_name(name) for name in names}
    return is_meld(names) or bool({"text", "start", "media"} & known)


def _value(cell: Any) -> object:  # noqa: ANN401
    """A cell as text, number, true or false; a duration is in seconds."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A number with decimals in the sheet is no integer, such as a time in milliseconds.
        decimals = "." in (cell.number_format or "")
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return float(value) if decimals else int(value) if whole else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.time):
        return value.isoformat()
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), str(value))


def _shown(column: str, value: object) -> object:
    """The value of a column; of text that Excel took for a Boolean, the text."""
    return str(value).upper() if isinstance(value, bool) and canonical_name(column) in COLUMNS else value


def _escaped(text: str) -> str:
    """Text with escapes for characters that XML cannot contain, and for text that looks like an escape."""
    text = re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return _NOT_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


XLSX = Format(
    "xlsx",
    _SUFFIXES,
    title="Excel workbook",
    holds=CSV.holds | Holds.VALUE_TYPES,
    step=0.001,
    content="binary",
    matches_file=matches,
    read_file=read,
    write_file=write,
    primary=True,
)
