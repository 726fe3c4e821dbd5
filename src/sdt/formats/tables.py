"""CSV, TSV, JSON Lines and JSON arrays of utterances.

| column         | what it holds                                                                           |
|----------------|-----------------------------------------------------------------------------------------|
| `text`         | what is said                                                                            |
| `speaker`      | who speaks                                                                              |
| `conversation` | the conversation's id; without the column the file is one conversation, named like it   |
| `utterance`    | its id, unique in the conversation; else its number in it, from 0                       |
| `order`        | a number that sorts the conversation's utterances; else the file's order                |
| `start`, `end` | seconds, or HH:MM:SS.mmm                                                                |
| `label`        | the emotion that a person or the corpus' annotation gives                               |
| `review`       | `corrected` or `confirmed`: how the label came about where a person reviewed a prediction |
| `media`        | the clip of this utterance alone; a relative path begins at the transcript's folder     |

None is required but `text`, `start` or `media`. The columns of MELD's annotation files are known by their own names.
What `sdt predict` and the service's page wrote can be read again; the predictions in it are left aside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from sdt.conversation import Review
from sdt.errors import InputError, join_names, near_miss, quoted
from sdt.files import resolve_beside
from sdt.formats.columns import canonical_name, canonical_names, cell_number, cell_seconds, cell_text, check_columns
from sdt.formats.csv_lines import delimiter_of, read_csv
from sdt.formats.json_records import json_line, json_lines
from sdt.formats.transcript import Turn, tidy
from sdt.formats.words import read_words
from sdt.text import repair_windows1252

COLUMNS = ("conversation", "utterance", "order", "speaker", "text", "start", "end", "label", "review", "media")
WORDS = "words"
"""The key of the words with their times in JSON; see `sdt.formats.words`."""
MELD = {
    "Dialogue_ID": "conversation",
    "Utterance_ID": "utterance",
    "Speaker": "speaker",
    "Utterance": "text",
    "StartTime": "start",
    "EndTime": "end",
    "Emotion": "label",
}
"""MELD's names of columns; its utterances are in the order of their ids."""
_MELD_IGNORED = ("Sr No.", "Sentiment", "Season", "Episode")
DAY = 24 * 3600
"""Seconds."""
_FRAMES = re.compile(r"\d{1,2}:\d\d:\d\d[:;]\d\d")
_PREDICTED = ("emotion", "probability")

_Record = tuple[int, Mapping[str, object]]


def is_meld(header: Sequence[str]) -> bool:
    """Whether a CSV header is that of MELD's annotation."""
    return {"Dialogue_ID", "Utterance_ID"} <= {name.strip() for name in header}


def is_table(header: str) -> bool:
    """Whether a line is the header of a table of utterances."""
    cells = [cell.strip().strip('"') for cell in header.split(delimiter_of(header))]
    names = {canonical_name(cell) for cell in cells}
    return is_meld(cells) or (
        len(cells) > 1 and "text" in names and (bool({"speaker", "utterance"} & names) or {"start", "end"} <= names)
    )


def read_csv_table(path: Path, encoding: str) -> tuple[list[Turn], list[str]]:
    """The turns of a CSV or TSV file, and notes.

    Raises:
        InputError: See `read_csv`; a column is misspelt; or a value is not what its column holds.
    """
    header, *lines = read_csv(path, encoding=encoding)
    names = [tidy(name) for name in header.cells]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: the column {quoted(name)} occurs twice")
    return _turns(path, names, [(line.number, dict(zip(names, line.cells, strict=True))) for line in lines])


def read_json_lines(path: Path, encoding: str) -> tuple[list[Turn], list[str]]:
    """The turns of a JSON Lines file, and notes.

    Raises:
        InputError: A line is not a JSON object; a key is misspelt; or a value is not what its key holds.
    """
    return read_records(path, list(json_lines(path, encoding=encoding)))


def read_records(path: Path, records: Sequence[_Record]) -> tuple[list[Turn], list[str]]:
    """The turns of JSON objects, each with its line or number, and notes.

    Raises:
        InputError: See `read_json_lines`.
    """
    return _turns(path, list(dict.fromkeys(name for _, record in records for name in record)), records)


def read_json_line(path: Path, line: int, text: str) -> Turn:
    """The turn of one line of JSON Lines, whatever stands before and after it; its `order` says nothing.

    Raises:
        InputError: See `read_json_lines`; the message names the line.
    """
    record = json_line(path, line, text)
    try:
        (turn,), _ = _turns(path, list(record), [(line, record)])
    except InputError as error:
        said = str(error).removeprefix(f"{path}: ")
        raise InputError(said if said.startswith(f"{path}, ") else f"{path}, line {line}: {said}") from None
    return turn


def _turns(path: Path, names: Sequence[str], records: Sequence[_Record]) -> tuple[list[Turn], list[str]]:
    if is_meld(names):
        names = [MELD.get(name, name) for name in names if name not in _MELD_IGNORED]
        records = [
            (line, {MELD.get(name, name): value for name, value in row.items()} | {"order": row.get("Utterance_ID")})
            for line, row in records
        ]
    names, records = _own_names(names, records)
    records, notes = _in_seconds(names, records)
    predicted = set(_PREDICTED) <= set(names)
    known = [n for n in names if n in COLUMNS] if predicted else [n for n in names if n != WORDS]
    ignored = check_columns(path, known, columns=COLUMNS, required=())
    if records and not {"text", "start", "media"} & set(names):
        raise InputError(f"{path}: column 'text' is missing; found are: {join_names(names[:12])}")
    repeated = 0
    if predicted and "corrected" in names and "review" not in names:
        records, repeated = _reviewed(path, records)
    ordered: dict[str | None, list[tuple[float, Turn]]] = {}
    for line, record in records:
        order, turn = _turn(path, line, record)
        ordered.setdefault(turn.conversation, []).append((order, turn))
    notes += [f"columns left aside: {join_names(ignored[:12])}"] if ignored else []
    turns = [turn for group in ordered.values() for turn in _sorted(path, group)]
    if repeated:
        notes.append(f"labels left aside that only repeat the model's emotion: {repeated}")
    if bare := sum(bool(record.get("review")) and not record.get("label") for _, record in records):
        notes.append(f"reviews without a label left aside: {bare}")
    if len(turns) < len(records):
        notes.append(f"repeated lines left out: {len(records) - len(turns)}")
    return turns, notes


def _own_names(names: Sequence[str], records: Sequence[_Record]) -> tuple[list[str], Sequence[_Record]]:
    """Columns called `Text`, `SPEAKER` or `Start Time` under their own names."""
    called = canonical_names(names, COLUMNS)
    if called:
        records = [(line, {called.get(name, name): value for name, value in row.items()}) for line, row in records]
    return [called.get(name, name) for name in names], records


def _reviewed(path: Path, records: Sequence[_Record]) -> tuple[list[_Record], int]:
    """What older versions of the service's page saved: every row has a label, and says whether it is `corrected`.

    Returns:
        The records, with a review where a person corrected the label and without a label where it is the model's; and
        how many of these there are.
    """
    reviewed: list[_Record] = []
    repeated = 0
    for line, record in records:
        corrected, label, emotion = (tidy(str(record.get(name, ""))) for name in ("corrected", "label", "emotion"))
        added: dict[str, object] = {}
        if corrected.casefold() == "true":
            added = {"review": "corrected"}
        elif corrected.casefold() != "false":
            raise InputError(f"{path}, line {line}: corrected {quoted(corrected)} is neither true nor false")
        elif label == emotion:
            added = {"label": None}
            repeated += 1
        reviewed.append((line, {**record, **added}))
    return reviewed, repeated


def _in_seconds(names: Sequence[str], records: Sequence[_Record]) -> tuple[Sequence[_Record], list[str]]:
    """Times in seconds, where all are milliseconds, as in Whisper's tables, or end with frames, as in Premiere's.

    Whole numbers are milliseconds where a character would take 25 seconds or more if they were not: speech has neither
    such pauses nor 40 characters per second. Without words, if the recording would otherwise exceed a day.
    """
    timed = [column for column in ("start", "end") if column in names]
    values = ([row.get(column) for column in timed] for _, row in records)
    spans = [["" if value is None else str(value).strip() for value in row] for row in values]
    cells = [cell for span in spans for cell in span if cell]
    if not cells or len(timed) < 2:
        return records, []
    if all(map(_FRAMES.fullmatch, cells)):
        note = "times end with frames, whose rate the file does not say: read as whole seconds"
        return [(line, _whole_seconds(row)) for line, row in records], [note]
    if all(cell.isascii() and cell.isdigit() and len(cell) < 12 for cell in cells):
        length = sum(int(end) - int(start) for start, end in spans if start and end)
        characters = sum(len(str(row.get("text") or "").strip()) for _, row in records)
        if length > 25 * characters if characters else max(map(int, cells)) > DAY:
            return [(line, {**row, **{c: _thousandth(row.get(c)) for c in timed}}) for line, row in records], [
                "times are milliseconds"
            ]
    return records, []


def _whole_seconds(row: Mapping[str, object]) -> Mapping[str, object]:
    start, end = (re.sub(r"[:;]\d\d$", "", str(row.get(column) or "").strip()) for column in ("start", "end"))
    return {**row, "start": start, "end": end if end > start else ""}


def _thousandth(cell: object) -> object:
    text = str(cell).strip() if cell is not None else ""
    return int(text) / 1000 if text else None


def _sorted(path: Path, rows: Sequence[tuple[float, Turn]]) -> list[Turn]:
    """The turns of a conversation in their order, lines that merely repeat another left out."""
    seen: dict[str, Turn] = {}
    turns = []
    for _, turn in sorted(rows, key=lambda row: row[0]):
        before = seen.setdefault(turn.id, turn) if turn.id is not None else turn
        if before is turn:
            turns.append(turn)
        elif replace(before, line=turn.line) != turn:
            raise InputError(
                f"{path}, line {turn.line}: utterance {quoted(turn.id)} is in line {before.line} already, with other "
                "values"
            )
    return turns


def _turn(path: Path, line: int, record: Mapping[str, object]) -> tuple[float, Turn]:
    """The turn of a line, and the number that sorts it."""
    where = f"{path}, line {line}"
    cells = {name: cell_text(where, name, _repaired(name, record.get(name))) for name in COLUMNS}
    said = {name: tidy(cell) or None if cell else None for name, cell in cells.items()}
    order = cell_number(where, "order", said["order"])
    return math.inf if order is None else order, Turn(
        line=line,
        text=said["text"],
        speaker=said["speaker"],
        start=cell_seconds(where, "start", said["start"]),
        end=cell_seconds(where, "end", said["end"]),
        id=said["utterance"],
        label=said["label"],
        clip=resolve_beside(path, said["media"]) if said["media"] else None,
        conversation=said["conversation"],
        review=_review(where, said["review"]) if said["label"] else None,
        words=read_words(where, words) if isinstance(words := record.get(WORDS), list) else (),
    )


def _review(where: str, text: str | None) -> Review | None:
    """The review in a cell; None for an empty one."""
    known: tuple[Review, ...] = get_args(Review)
    found = next((review for review in known if text and review == text.casefold()), None)
    if text and found is None:
        raise InputError(f"{where}: review {quoted(text)} is unknown{near_miss(text, known)}")
    return found


def _repaired(column: str, value: object) -> object:
    """Text repaired before blanks are trimmed, since U+0085 was an ellipsis; times as text, so that NaN is none."""
    if isinstance(value, str):
        return repair_windows1252(value)
    return str(value) if isinstance(value, float) and column in ("start", "end") else value
