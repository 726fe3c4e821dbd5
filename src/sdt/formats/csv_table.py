"""CSV and TSV: an utterance a row, with a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from sdt.formats.format import Format, Holds
from sdt.formats.json_lines import RECORDS
from sdt.formats.parsing.heads import first_lines
from sdt.formats.parsing.turn_records import is_table, read_csv_table
from sdt.formats.records import flatten, transcript_records
from sdt.formats.transcript import Transcript

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""The start of a cell that spreadsheets evaluate as a formula."""


def cell(value: object) -> object:
    """Protect text that a spreadsheet would evaluate as a formula, by a leading tab.

    The tab is invisible, and `read_transcript` removes it.
    """
    return f"\t{value}" if isinstance(value, str) and FORMULA.match(value) else value


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The header and the rows; a column exists if any utterance has it. A file `.tsv` has tabs between its cells."""
    names = list(dict.fromkeys(name for row in _rows(transcript, path) for name in row))
    lines = _Lines()
    delimiter = "\t" if path is not None and path.suffix.lower() == ".tsv" else ","
    writer = csv.DictWriter(lines, names, lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    for row in _rows(transcript, path):
        writer.writerow(row)
        yield lines.take()
    yield lines.take()


def _rows(transcript: Transcript, path: Path | None) -> Iterator[dict[str, object]]:
    for record in transcript_records(transcript, path):
        yield {name: cell(value) for name, value in flatten(record).items()}


class _Lines:
    """What the `csv` module takes for a file."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> None:
        """Keep a line."""
        self._text += text

    def take(self) -> str:
        """The lines since the last call."""
        text, self._text = self._text, ""
        return text


CSV = Format(
    "csv",
    (".csv", ".tsv"),
    lambda decoded: is_table(first_lines(decoded)[0]),
    read=lambda path, decoded: read_csv_table(path, decoded.encoding),
    write=write,
    title="CSV, TSV",
    holds=RECORDS & ~(Holds.VALUE_TYPES | Holds.WORDS | Holds.WORD_CONFIDENCES | Holds.ANNOTATORS | Holds.CONFIDENCES),
    step=0.001,
    primary=True,
)
