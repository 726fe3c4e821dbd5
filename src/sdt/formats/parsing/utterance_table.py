"""Reader of tables of utterances in CSV, JSON or Parquet files.

| column         |          | content                                                                 |
|----------------|----------|-------------------------------------------------------------------------|
| `conversation` | required | the id of the conversation                                              |
| `speaker`      | required | the name of the speaker                                                 |
| `label`        | required | the emotion; empty without annotation                                   |
| `utterance`    |          | the id, unique in the conversation; default: the position, from 0       |
| `order`        |          | a number that sorts the utterances; default: the order of the file      |
| `split`        |          | `train`, `dev` or `test`, or an alias (`val`, `validation`); the same   |
|                |          | for all utterances of a conversation                                    |
| `text`         |          | the transcribed text                                                    |
| `start`, `end` |          | seconds, or HH:MM:SS.mmm                                                |
| `media`        |          | the recording, relative to the folder of the table; if several          |
|                |          | utterances name the same file, `start` and `end` select a part          |

Column names are case-insensitive, and some aliases (`Start Time`, `Transcript`) are known. In a Parquet file, lines are
rows, from 1.
"""

from __future__ import annotations

import difflib
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdt.errors import InputError, quoted
from sdt.formats.parsing import parquet
from sdt.formats.parsing.columns import canonical_names, cell_number, cell_seconds, cell_text, check_columns
from sdt.formats.parsing.csv_lines import read_csv, read_text_detecting
from sdt.formats.parsing.json_records import json_array
from sdt.formats.parsing.table_records import JsonRecords, Records, RowRecords
from sdt.splits import parse_split, unknown_split

REQUIRED = ("conversation", "speaker", "label")
OPTIONAL = ("utterance", "order", "split", "text", "start", "end", "media")
COLUMNS = (*REQUIRED, *OPTIONAL)
JSON_LINES = (".jsonl", ".ndjson")
JSON_ARRAY = ".json"
_MAX_CACHED = 1000
"""The number of different sets of JSON keys in the cache."""
_EMPTY: dict[str, str | None] = dict.fromkeys(COLUMNS)


class Row(NamedTuple):
    """One line of the file, with checked values."""

    line: int
    number: int
    """The number of preceding records."""
    conversation: str
    speaker: str
    label: str | None
    utterance: str | None
    order: float | None
    split: str | None
    text: str | None
    start: float | None
    end: float | None
    media: str | None
    extra: Mapping[str, str]
    """The further columns that the user wants to keep, without empty cells."""


class UtteranceFile:
    """A table of utterances, read conversation by conversation.

    Stores the positions of contiguous lines of the same conversation: one entry for a conversation whose lines are
    contiguous, up to one entry per utterance otherwise.

    Args:
        path: The file.
        records: The records, which are read once.
        keep: Further columns to keep.

    Raises:
        InputError: A line cannot be read, or a column is missing or misspelt.
    """

    def __init__(self, path: Path, records: Records, keep: Sequence[str] = ()) -> None:
        self.path, self._records, self._keep = path, records, tuple(keep)
        self.notes = records.notes
        self._names: dict[tuple[str, ...], dict[str, str]] = {}
        found: dict[str, None] = {}
        numbers: dict[str | None, int] = {}
        of, ranges = array("q"), array("q")  # of each range of records: conversation; start, end, line, record
        size, last = 0, -1
        for record in records:
            values = self._canonical(record.values)
            if not values.keys() <= found.keys():
                found.update(dict.fromkeys(values))
            value = values.get("conversation")
            # An empty id is refused when the rows are read.
            id = cell_text(f"{path}, line {record.line}", "conversation", value)
            if (this := numbers.setdefault(id, len(numbers))) != last:
                of.append(this)
                ranges.extend((record.first, record.end, record.line, size))
                last = this
            ranges[-3] = record.end
            size += 1
        if not size:
            raise InputError(f"{path}: no utterances")
        self.ignored = check_columns(path, tuple(found), columns=(*COLUMNS, *keep), required=(*REQUIRED, *keep))
        """The unknown columns."""
        self.columns = tuple(name for name in found if name in COLUMNS)
        self.conversations: tuple[str, ...] = tuple(id or "" for id in numbers)
        """The conversation ids, in the order of their first line."""
        order = np.argsort(np.array(of, dtype=np.int64), kind="stable")
        self._ranges = np.array(ranges, dtype=np.int64).reshape(-1, 4)[order]  # by conversation
        self._bounds = np.searchsorted(np.array(of, dtype=np.int64)[order], np.arange(len(numbers) + 1))

    def rows(self, conversation: int) -> list[Row]:
        """The rows of the conversation with this number, in spoken order.

        Raises:
            InputError: A value is invalid, two rows have the same order or id, or the rows are in different splits.
        """
        rows = []
        ranges = self._ranges[self._bounds[conversation] : self._bounds[conversation + 1]]
        for first, end, line, before in ranges.tolist():
            found = self._records.between(first, end, line)
            rows += [
                _row(self.path, record.line, self._canonical(record.values), before + n, self._keep)
                for n, record in enumerate(found)
            ]
        return sort_rows(self.path, rows)

    def _canonical(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """The values of a record by canonical column names."""
        names = tuple(values)
        if names not in self._names:
            if len(self._names) > _MAX_CACHED:
                self._names.clear()
            self._names[names] = canonical_names(names, COLUMNS)
        canonical = self._names[names]
        return {canonical.get(name, name): value for name, value in values.items()} if canonical else values


def is_utterance_table(header: Sequence[str]) -> bool:
    """Whether a header is that of a table of utterances."""
    return {"conversation", "speaker"} <= {*header, *canonical_names(header, COLUMNS).values()}


def resembles_utterance_table(header: Sequence[str]) -> bool:
    """Whether most of the required columns exist, possibly misspelt."""
    names = [name.lower() for name in header]
    return sum(bool(difflib.get_close_matches(column, names, n=1, cutoff=0.75)) for column in REQUIRED) > 1


def read_utterance_file(path: Path, encoding: str | None = None, keep: Sequence[str] = ()) -> UtteranceFile:
    """Read a table of utterances.

    Args:
        path: A CSV, JSON, JSON Lines or Parquet file.
        encoding: The encoding of text; None detects it.
        keep: Further columns to keep.

    Raises:
        InputError: A line cannot be read, a column is missing or misspelt, or a value is invalid.
    """
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return UtteranceFile(path, JsonRecords(path, encoding), keep)
    notes: Sequence[str] = ()
    rows: list[tuple[int, Sequence[object]]]
    if suffix == JSON_ARRAY:
        text, notes = read_text_detecting(path, encoding)
        records = list(json_array(path, text))
        names = list(dict.fromkeys(name for _, record in records for name in record))
        rows = [(line, [record.get(name) for name in names]) for line, record in records]
    elif suffix in parquet.SUFFIXES:
        names, values = parquet.read_rows(path)
        rows = list(enumerate(values, start=1))
    else:
        table = read_csv(path, encoding=encoding)
        header, *lines = table.lines
        names, notes = [name.strip() for name in header.cells], table.notes
        rows = [(line.number, line.cells) for line in lines]
        if table.delimiter != "," and "order" in (own := [name.casefold() for name in names]):
            for line in lines:  # a comma is a decimal separator here
                line.cells[own.index("order")] = line.cells[own.index("order")].replace(",", ".")
    for name in filter(None, names):
        if names.count(name) > 1:
            raise InputError(f"{path}: column {quoted(name)} occurs twice")
    if not rows:
        check_columns(path, names, columns=COLUMNS, required=REQUIRED)
    return UtteranceFile(path, RowRecords(names, rows, notes), keep)


def utterance_ids(rows: Sequence[Row]) -> list[str]:
    """The ids of the utterances of a conversation: those of the file, or their numbers."""
    return [row.utterance or str(position) for position, row in enumerate(rows)]


def sort_rows(path: Path, rows: list[Row]) -> list[Row]:
    """Sort the rows of a conversation in spoken order.

    Raises:
        InputError: Two rows have the same order or id, only some have an order, or they are in different splits.
    """
    lines: dict[float, int] = {}
    first = next((row for row in rows if row.split is not None), None)
    for row in rows:
        if (row.order is None) != (rows[0].order is None):
            empty = row if row.order is None else rows[0]
            raise InputError(
                f"{path}, line {empty.line}: order is empty, but other utterances of conversation "
                f"{quoted(row.conversation)} have one"
            )
        if row.order is not None and lines.setdefault(row.order, row.line) != row.line:
            raise InputError(
                f"{path}, line {row.line}: order {row.order:g} in conversation {quoted(row.conversation)} is already "
                f"used in line {lines[row.order]}"
            )
        if first and row.split not in (None, first.split):
            raise InputError(
                f"{path}, line {row.line}: conversation {quoted(row.conversation)} is in split {quoted(row.split)} "
                f"here, but in {quoted(first.split)} in line {first.line}; a conversation belongs to one split"
            )
    rows = sorted(rows, key=lambda row: row.order or 0)
    ids: dict[str, int] = {}
    for row, id in zip(rows, utterance_ids(rows), strict=True):
        if ids.setdefault(id, row.line) != row.line:
            raise InputError(
                f"{path}, line {row.line}: utterance {quoted(id)} of conversation {quoted(row.conversation)} is "
                f"already used in line {ids[id]}"
            )
    return rows


def _row(path: Path, line: int, values: Mapping[str, object], number: int, keep: Sequence[str]) -> Row:
    where = f"{path}, line {line}"
    text = _EMPTY | {name: cell_text(where, name, value) for name, value in values.items() if name in _EMPTY}
    conversation, speaker = text["conversation"], text["speaker"]
    if conversation is None or speaker is None:
        raise InputError(f"{where}: {'conversation' if conversation is None else 'speaker'} is empty")
    split = None
    if text["split"] is not None and (split := parse_split(text["split"])) is None:
        raise InputError(f"{where}: {unknown_split(text['split'])}")
    label = text["label"]
    if label is not None and label.casefold() in ("nan", "<na>"):  # missing values of pandas and numpy
        label = None
    start, end = cell_seconds(where, "start", text["start"]), cell_seconds(where, "end", text["end"])
    if start is not None and end is not None and end < start:
        raise InputError(f"{where}: end {end} is before start {start}")
    return Row(
        line=line,
        number=number,
        conversation=conversation,
        speaker=speaker,
        label=label,
        utterance=text["utterance"],
        order=cell_number(where, "order", text["order"]),
        split=split,
        text=text["text"],
        start=start,
        end=end,
        media=text["media"],
        extra={name: value for name in keep if (value := cell_text(where, name, values.get(name))) is not None},
    )
