"""A CSV or JSON Lines file of utterances: reading it, and saying which line is wrong.

| column         |          | what it holds                                                           |
|----------------|----------|-------------------------------------------------------------------------|
| `conversation` | required | the conversation's id                                                   |
| `speaker`      | required | who speaks                                                              |
| `label`        | required | the emotion; empty where there is no annotation                         |
| `utterance`    |          | its id, unique in the conversation; else its number in it, from 0       |
| `order`        |          | a number that sorts the conversation's utterances; else the file's order |
| `split`        |          | `train`, `dev` or `test`, the same in all of a conversation             |
| `text`         |          | what is said                                                            |
| `start`, `end` |          | seconds, or HH:MM:SS.mmm                                                |
| `media`        |          | the utterance's recording, its path from the table's folder; where      |
|                |          | several utterances name the same, `start` and `end` cut it              |
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.draft import SPLITS
from sdt.corpus.importers.csv_lines import number, read_csv, read_text
from sdt.corpus.importers.times import seconds
from sdt.errors import InputError, near_miss

REQUIRED = ("conversation", "speaker", "label")
OPTIONAL = ("utterance", "order", "split", "text", "start", "end", "media")
COLUMNS = (*REQUIRED, *OPTIONAL)
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Row:
    """One line of the file, its values checked one by one."""

    line: int
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


@dataclass(frozen=True)
class UtteranceFile:
    """The rows of a file, and which columns it has."""

    rows: list[Row]
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    """Columns that mean nothing here."""


def is_utterance_table(header: Sequence[str]) -> bool:
    """Whether a CSV header is that of a file of utterances."""
    return {"conversation", "speaker"} <= set(header)


def nearly_utterance_table(header: Sequence[str]) -> bool:
    """Whether most of the required columns are there, misspelt perhaps."""
    names = [name.lower() for name in header]
    return sum(bool(difflib.get_close_matches(column, names, n=1, cutoff=0.75)) for column in REQUIRED) > 1


def read_utterance_file(path: Path) -> UtteranceFile:
    """Read a file of utterances.

    Raises:
        InputError: A line cannot be read, a column is missing or misspelt, or a value is not what its column holds.
    """
    records = list(json_lines(path) if path.suffix.lower() in JSON_LINES else _csv_lines(path))
    if not records:
        raise InputError(f"{path}: no utterances")
    found = tuple(dict.fromkeys(name for _, record in records for name in record))
    ignored = check_columns(path, found, columns=COLUMNS, required=REQUIRED)
    return UtteranceFile(
        [_row(path, line, record) for line, record in records],
        tuple(name for name in found if name in COLUMNS),
        ignored,
    )


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    header, *lines = read_csv(path)
    names = [name.strip() for name in header.cells]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: the column {name!r} occurs twice")
    if not lines:
        check_columns(path, names, columns=COLUMNS, required=REQUIRED)
    for line in lines:
        yield line.number, dict(zip(names, line.cells, strict=True))


def json_lines(path: Path, *, encoding: str = "utf-8-sig") -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number and the object of each line that is not blank.

    Raises:
        InputError: A line is no JSON object.
    """
    for line, text in enumerate(read_text(path, encoding=encoding).split("\n"), start=1):
        if not text.strip():
            continue
        yield line, json_line(path, line, text)


def json_line(path: Path, line: int, text: str) -> Mapping[str, object]:
    """The object of a line.

    Raises:
        InputError: It is no JSON object.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {line}: not JSON ({error}); is the file cut off?") from None
    if not isinstance(record, dict):
        raise InputError(
            f"{path}, line {line}: expected an object {{...}} with keys such as conversation, speaker, text"
        )
    return record


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
            raise InputError(f"{path}: unknown column {name!r}; did you mean {meant[0]!r}?")
    for column in required:
        if column in absent:
            raise InputError(f"{path}: column {column!r} is missing; found are: {', '.join(found[:12])}")
    return tuple(unknown)


def _row(path: Path, line: int, record: Mapping[str, object]) -> Row:
    where = f"{path}, line {line}"
    text = {name: cell_text(where, name, record.get(name)) for name in COLUMNS}
    conversation, speaker = text["conversation"], text["speaker"]
    if conversation is None or speaker is None:
        raise InputError(f"{where}: {'conversation' if conversation is None else 'speaker'} is empty")
    split = text["split"]
    if split is not None and split not in SPLITS:
        raise InputError(f"{where}: split {split!r} is unknown{near_miss(split, SPLITS)}")
    start, end = cell_seconds(where, "start", text["start"]), cell_seconds(where, "end", text["end"])
    if start is not None and end is not None and end < start:
        raise InputError(f"{where}: end {end} comes before start {start}")
    return Row(
        line=line,
        conversation=conversation,
        speaker=speaker,
        label=text["label"],
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
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where}: {column} is {json.dumps(value)[:40]}; expected text or a number")
    text = str(value).strip()
    try:
        text.encode("utf-8")
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
        raise InputError(f"{where}: {column} {text!r} is not a number")
    return value


def cell_seconds(where: str, column: str, text: str | None) -> float | None:
    """The time in a cell, in seconds; None for an empty one."""
    try:
        return seconds(text or "")
    except ValueError:
        raise InputError(f"{where}: {column} {text!r} is not a time; expected seconds or HH:MM:SS.mmm") from None
