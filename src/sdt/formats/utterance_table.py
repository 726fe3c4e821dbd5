"""A CSV, JSON or Parquet file of utterances: reading it, and saying which line is wrong.

| column         |          | what it holds                                                           |
|----------------|----------|-------------------------------------------------------------------------|
| `conversation` | required | the conversation's id                                                   |
| `speaker`      | required | who speaks                                                              |
| `label`        | required | the emotion; empty where there is no annotation                         |
| `utterance`    |          | its id, unique in the conversation; else its number in it, from 0       |
| `order`        |          | a number that sorts the conversation's utterances; else the file's order |
| `split`        |          | `train`, `dev` (`val`, `valid`, `validation`) or `test`, the same in    |
|                |          | all of a conversation                                                   |
| `text`         |          | what is said                                                            |
| `start`, `end` |          | seconds, or HH:MM:SS.mmm                                                |
| `media`        |          | the utterance's recording, its path from the table's folder; where      |
|                |          | several utterances name the same, `start` and `end` cut it              |

The case of the names does not matter, and some other names (`Start Time`, `Transcript`) are known. In a Parquet file,
the lines are its rows, from 1.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdt.errors import InputError, join_names, near_miss, quoted
from sdt.formats import parquet
from sdt.formats.csv_lines import detect_text, number, read_csv
from sdt.formats.json_records import json_array
from sdt.formats.table_records import JsonRecords, Records, RowRecords
from sdt.formats.times import seconds
from sdt.splits import SPLITS, split_named
from sdt.text import repair_windows1252

REQUIRED = ("conversation", "speaker", "label")
OPTIONAL = ("utterance", "order", "split", "text", "start", "end", "media")
COLUMNS = (*REQUIRED, *OPTIONAL)
JSON_LINES = (".jsonl", ".ndjson")
JSON_ARRAY = ".json"
_ALIASES = {
    "speaker name": "speaker", "start time": "start", "end time": "end", "transcript": "text", "sentence": "text",
}  # fmt: skip
_MOST_FORMS = 1000
"""Sets of keys of JSON objects that are kept in memory."""
_NOTHING: dict[str, str | None] = dict.fromkeys(COLUMNS)


class Row(NamedTuple):
    """One line of the file, its values checked one by one."""

    line: int
    number: int
    """How many records stand before it."""
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


class UtteranceFile:
    """A file of utterances, read conversation by conversation.

    What is kept is where each stretch of lines of one conversation lies: one for each conversation whose lines stand
    together, up to one for each utterance of one whose lines do not.

    Args:
        path: The file.
        records: Its records; they are gone through once.

    Raises:
        InputError: A line cannot be read, or a column is missing or misspelt.
    """

    def __init__(self, path: Path, records: Records) -> None:
        self.path, self._records = path, records
        self.notes = records.notes
        self._own_names: dict[tuple[str, ...], dict[str, str]] = {}
        found: dict[str, None] = {}
        numbers: dict[str | None, int] = {}
        of, stretches = array("q"), array("q")  # of each stretch its conversation; first place, end, line, record
        size, last = 0, -1
        for record in records:
            values = self._own(record.values)
            if not values.keys() <= found.keys():
                found.update(dict.fromkeys(values))
            value = values.get("conversation")
            # An empty one is refused when its rows are read.
            id = cell_text(f"{path}, line {record.line}", "conversation", value)
            if (this := numbers.setdefault(id, len(numbers))) != last:
                of.append(this)
                stretches.extend((record.first, record.end, record.line, size))
                last = this
            stretches[-3] = record.end
            size += 1
        if not size:
            raise InputError(f"{path}: no utterances")
        self.ignored = check_columns(path, tuple(found), columns=COLUMNS, required=REQUIRED)
        """Columns that mean nothing here."""
        self.columns = tuple(name for name in found if name in COLUMNS)
        self.conversations: tuple[str, ...] = tuple(id or "" for id in numbers)
        """The ids, in the order in which they first occur."""
        order = np.argsort(np.array(of, dtype=np.int64), kind="stable")
        self._stretches = np.array(stretches, dtype=np.int64).reshape(-1, 4)[order]  # by conversation
        self._bounds = np.searchsorted(np.array(of, dtype=np.int64)[order], np.arange(len(numbers) + 1))

    def rows(self, conversation: int) -> list[Row]:
        """The rows of the conversation with this number, in the order in which they were spoken.

        Raises:
            InputError: A value is not what its column holds; or two rows have the same place or id; or they are in
                different splits.
        """
        rows = []
        stretches = self._stretches[self._bounds[conversation] : self._bounds[conversation + 1]]
        for first, end, line, before in stretches.tolist():
            found = self._records.between(first, end, line)
            rows += [
                _row(self.path, record.line, self._own(record.values), before + n) for n, record in enumerate(found)
            ]
        return in_order(self.path, rows)

    def _own(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """The values of a record under the columns' own names."""
        names = tuple(values)
        if names not in self._own_names:
            if len(self._own_names) > _MOST_FORMS:
                self._own_names.clear()
            self._own_names[names] = own_names(names, COLUMNS)
        called = self._own_names[names]
        return {called.get(name, name): value for name, value in values.items()} if called else values


def is_utterance_table(header: Sequence[str]) -> bool:
    """Whether a header is that of a file of utterances."""
    return {"conversation", "speaker"} <= {*header, *own_names(header, COLUMNS).values()}


def own_names(names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Columns called `Text`, `SPEAKER` or `Start Time` to their own names, where one alone is called so.

    Args:
        names: What they are called.
        columns: The own names.
    """
    called = {name: own for name in names if name not in columns and (own := own_name(name)) in columns}
    return {name: own for name, own in called.items() if own not in names and [*called.values()].count(own) == 1}


def own_name(name: str) -> str:
    """What a column that other programs call so is called here."""
    small = " ".join(re.split(r"[\s_-]+", name.casefold()))
    return _ALIASES.get(small, small)


def nearly_utterance_table(header: Sequence[str]) -> bool:
    """Whether most of the required columns are there, misspelt perhaps."""
    names = [name.lower() for name in header]
    return sum(bool(difflib.get_close_matches(column, names, n=1, cutoff=0.75)) for column in REQUIRED) > 1


def read_utterance_file(path: Path, encoding: str | None = None) -> UtteranceFile:
    """Read a file of utterances, of the encoding that its bytes tell unless one is given.

    Raises:
        InputError: A line cannot be read, a column is missing or misspelt, or a value is not what its column holds.
    """
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return UtteranceFile(path, JsonRecords(path, encoding))
    notes: Sequence[str] = ()
    rows: list[tuple[int, Sequence[object]]]
    if suffix == JSON_ARRAY:
        text, notes = detect_text(path, encoding)
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
            for line in lines:  # a comma can only separate its decimals
                line.cells[own.index("order")] = line.cells[own.index("order")].replace(",", ".")
    for name in filter(None, names):
        if names.count(name) > 1:
            raise InputError(f"{path}: the column {quoted(name)} occurs twice")
    if not rows:
        check_columns(path, names, columns=COLUMNS, required=REQUIRED)
    return UtteranceFile(path, RowRecords(names, rows, notes))


def utterance_ids(rows: Sequence[Row]) -> list[str]:
    """The ids of a conversation's utterances: as the file says, or their numbers."""
    return [row.utterance or str(place) for place, row in enumerate(rows)]


def in_order(path: Path, rows: list[Row]) -> list[Row]:
    """The rows of a conversation in the order in which they were spoken.

    Raises:
        InputError: Two have the same place or the same id, only some have a place, or they are in different splits.
    """
    places: dict[float, int] = {}
    said = next((row for row in rows if row.split is not None), None)
    for row in rows:
        if (row.order is None) != (rows[0].order is None):
            empty = row if row.order is None else rows[0]
            raise InputError(f"{path}, line {empty.line}: order is empty, but not in all of {quoted(row.conversation)}")
        if row.order is not None and places.setdefault(row.order, row.line) != row.line:
            raise InputError(
                f"{path}, line {row.line}: order {row.order:g} in conversation {quoted(row.conversation)} stands "
                f"already in line {places[row.order]}"
            )
        if said and row.split not in (None, said.split):
            raise InputError(
                f"{path}, line {row.line}: conversation {quoted(row.conversation)} is in split {quoted(row.split)} "
                f"here and in {quoted(said.split)} in line {said.line}; one conversation belongs to one split"
            )
    rows = sorted(rows, key=lambda row: row.order or 0)
    ids: dict[str, int] = {}
    for row, id in zip(rows, utterance_ids(rows), strict=True):
        if ids.setdefault(id, row.line) != row.line:
            raise InputError(
                f"{path}, line {row.line}: utterance {quoted(id)} of conversation {quoted(row.conversation)} stands "
                f"already in line {ids[id]}"
            )
    return rows


def check_columns(
    path: Path, found: Sequence[str], *, columns: Sequence[str], required: Sequence[str] = ()
) -> tuple[str, ...]:
    """Find the columns that mean nothing.

    Args:
        path: The file, for the message.
        found: Its columns.
        columns: Those that mean something.
        required: Those of them that must be there.

    Raises:
        InputError: A column that is not there is nearly spelt like one that is, or a required one is missing.
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


def _row(path: Path, line: int, values: Mapping[str, object], number: int) -> Row:
    where = f"{path}, line {line}"
    text = _NOTHING | {name: cell_text(where, name, value) for name, value in values.items() if name in _NOTHING}
    conversation, speaker = text["conversation"], text["speaker"]
    if conversation is None or speaker is None:
        raise InputError(f"{where}: {'conversation' if conversation is None else 'speaker'} is empty")
    split = None
    if text["split"] is not None and (split := split_named(text["split"])) is None:
        raise InputError(f"{where}: split {quoted(text['split'])} is unknown{near_miss(text['split'], SPLITS)}")
    label = text["label"]
    if label is not None and label.casefold() in ("nan", "<na>"):  # how pandas and numpy write what is not there
        label = None
    start, end = cell_seconds(where, "start", text["start"]), cell_seconds(where, "end", text["end"])
    if start is not None and end is not None and end < start:
        raise InputError(f"{where}: end {end} comes before start {start}")
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
    )


def cell_text(where: str, column: str, value: object) -> str | None:
    """A value as text without blanks around it; None where it is empty."""
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
        raise InputError(f"{where}: {column} holds half of a surrogate pair, which is no character") from None
    return text or None


def cell_number(where: str, column: str, text: str | None) -> float | None:
    """The finite number in a cell; None for an empty one."""
    if text is None:
        return None
    try:
        value = number(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} {quoted(text)} is not a number")
    return value


def cell_seconds(where: str, column: str, text: str | None) -> float | None:
    """The time in a cell, in seconds; None for an empty one."""
    try:
        return seconds(text or "")
    except ValueError:
        raise InputError(f"{where}: {column} {quoted(text)} is not a time; expected seconds or HH:MM:SS.mmm") from None
