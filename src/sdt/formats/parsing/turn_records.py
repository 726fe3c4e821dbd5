"""Readers of transcripts in CSV, TSV, JSON Lines and JSON arrays: one record per utterance.

| column         | content                                                                                    |
|----------------|--------------------------------------------------------------------------------------------|
| `text`         | the transcribed text                                                                       |
| `speaker`      | the name of the speaker                                                                    |
| `conversation` | the id of the conversation; default: the name of the file                                  |
| `utterance`    | the id of the utterance, unique in the conversation; default: its position, from 0         |
| `order`        | a number that sorts the utterances of a conversation; default: the order of the file       |
| `start`, `end` | seconds, or HH:MM:SS.mmm                                                                   |
| `label`        | the annotated emotion                                                                      |
| `review`       | `corrected` or `confirmed`, if `label` is the result of reviewing a prediction             |
| `annotations`  | in JSON, a list of the labels of annotators: `annotator`, `label`, optionally `confidence` |
| `media`        | the clip of this utterance; a relative path is resolved against the folder of the transcript |

One of `text`, `start` and `media` is required. Other columns are kept as `Utterance.extra`. The column names of MELD's
annotation are recognised. Files written by `sdt predict` and by the page of the service can be read again, with their
predictions.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from sdt.conversation import Annotation, Review, Value
from sdt.errors import InputError, join_names, near_miss, quoted
from sdt.files import resolve_beside
from sdt.formats.parsing.columns import (
    canonical_name,
    canonical_names,
    cell_number,
    cell_seconds,
    cell_text,
    check_columns,
)
from sdt.formats.parsing.csv_lines import detect_delimiter, read_csv
from sdt.formats.parsing.json_records import json_line, json_lines
from sdt.formats.parsing.model_fields import PREDICTED, is_of_model, read_prediction
from sdt.formats.parsing.words import read_words
from sdt.formats.transcript import Turn, tidy
from sdt.text import repair_windows1252

COLUMNS = ("conversation", "utterance", "order", "speaker", "text", "start", "end", "label", "review", "media")
WORDS = "words"
"""The key of the words with their times in JSON; see `sdt.formats.parsing.words`."""
MELD = {
    "Dialogue_ID": "conversation",
    "Utterance_ID": "utterance",
    "Speaker": "speaker",
    "Utterance": "text",
    "StartTime": "start",
    "EndTime": "end",
    "Emotion": "label",
}
"""MELD's column names; its utterances are in the order of their ids."""
_MELD_IGNORED = ("Sr No.", "Sentiment", "Season", "Episode")
DAY = 24 * 3600
"""Seconds."""
_FRAMES = re.compile(r"\d{1,2}:\d\d:\d\d[:;]\d\d")
_FIELD = "field "
ANNOTATIONS = "annotations"
"""The key of the labels of annotators in JSON."""

_Record = tuple[int, Mapping[str, object]]


def column_of_field(name: str) -> str:
    """The column of a field of `Utterance.extra`, which can neither be, nor look like, a column with a meaning."""
    reserved = (*COLUMNS, WORDS, ANNOTATIONS)
    meant = difflib.get_close_matches(canonical_name(name), reserved, n=1, cutoff=0.7) or is_of_model(name)
    return f"{_FIELD}{name}" if meant or name.startswith(_FIELD) or name in MELD else name


def is_meld(header: Sequence[str]) -> bool:
    """Whether a CSV header is the header of MELD's annotation."""
    return {"Dialogue_ID", "Utterance_ID"} <= {name.strip() for name in header}


def is_table(header: str) -> bool:
    """Whether a line is the header of a table of utterances."""
    cells = [cell.strip().strip('"') for cell in header.split(detect_delimiter(header))]
    names = {canonical_name(cell) for cell in cells}
    return is_meld(cells) or (
        len(cells) > 1 and "text" in names and (bool({"speaker", "utterance"} & names) or {"start", "end"} <= names)
    )


def read_csv_table(path: Path, encoding: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of a CSV or TSV file, and notes.

    Raises:
        InputError: The file is damaged, a column is misspelt, or a value is invalid; see `read_csv`.
    """
    header, *lines = read_csv(path, encoding=encoding)
    names = [tidy(name) for name in header.cells]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: column {quoted(name)} occurs twice")
    return _turns(path, names, [(line.number, dict(zip(names, line.cells, strict=True))) for line in lines])


def read_json_lines(path: Path, encoding: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of a JSON Lines file, and notes.

    Raises:
        InputError: A line is not a JSON object, a key is misspelt, or a value is invalid.
    """
    return read_records(path, list(json_lines(path, encoding=encoding)))


def read_records(path: Path, records: Sequence[_Record]) -> tuple[list[Turn], list[str]]:
    """Convert JSON objects to turns, and notes.

    Args:
        path: The file, for error messages.
        records: The line or number of each object, and the object.

    Raises:
        InputError: See `read_json_lines`.
    """
    records = [(line, _flat(record)) for line, record in records]
    return _turns(path, list(dict.fromkeys(name for _, record in records for name in record)), records)


def _flat(record: Mapping[str, object]) -> Mapping[str, object]:
    """The record with the fields of an object `extra`, as in `utterances.jsonl` of a corpus, beside its other keys."""
    extra = record.get("extra")
    if not isinstance(extra, dict):
        return record
    rest = {name: value for name, value in record.items() if name != "extra"}
    return rest | {column_of_field(name): value for name, value in extra.items()}


def read_json_line(path: Path, line: int, text: str) -> Turn:
    """Read the turn of a single line of JSON Lines; its `order` is ignored.

    Raises:
        InputError: See `read_json_lines`; the message names the line.
    """
    record = json_line(path, line, text)
    try:
        (turn,), _ = _turns(path, list(record), [(line, record)])
    except InputError as error:
        message = str(error).removeprefix(f"{path}: ")
        raise InputError(message if message.startswith(f"{path}, ") else f"{path}, line {line}: {message}") from None
    return turn


def _turns(path: Path, names: Sequence[str], records: Sequence[_Record]) -> tuple[list[Turn], list[str]]:
    if is_meld(names):
        names = [MELD.get(name, name) for name in names if name not in _MELD_IGNORED]
        records = [
            (line, {MELD.get(name, name): value for name, value in row.items()} | {"order": row.get("Utterance_ID")})
            for line, row in records
        ]
    names, records = _rename_columns(names, records)
    records, notes = _convert_times(names, records)
    predicted = set(PREDICTED) <= set(names)
    known = [n for n in names if n in COLUMNS] if predicted else [n for n in names if n not in (WORDS, ANNOTATIONS)]
    fields = [n for n in names if n.startswith(_FIELD)]
    others = (*check_columns(path, [n for n in known if n not in fields], columns=COLUMNS, required=()), *fields)
    if predicted:
        used = (*COLUMNS, WORDS, ANNOTATIONS, "corrected")
        others = tuple(n for n in names if n in fields or not (n in used or is_of_model(n)))
    if records and not {"text", "start", "media"} & set(names):
        raise InputError(f"{path}: column 'text' is missing; found are: {join_names(names[:12])}")
    repeated = 0
    if predicted and "corrected" in names and "review" not in names:
        records, repeated = _add_reviews(path, records)
    ordered: dict[str | None, list[tuple[float, Turn]]] = {}
    for line, record in records:
        order, turn = _turn(path, line, record)
        if others:
            turn = replace(turn, extra=_extra(record, others))
        if predicted:
            turn = replace(turn, prediction=read_prediction(record))
        ordered.setdefault(turn.conversation, []).append((order, turn))
    notes += [f"columns kept, but not used: {join_names(others[:12])}"] if others and not predicted else []
    turns = [turn for group in ordered.values() for turn in _sorted(path, group)]
    if repeated:
        notes.append(f"labels ignored that only repeat the prediction: {repeated}")
    if bare := sum(bool(record.get("review")) and not record.get("label") for _, record in records):
        notes.append(f"reviews without a label ignored: {bare}")
    if len(turns) < len(records):
        notes.append(f"repeated lines ignored: {len(records) - len(turns)}")
    return turns, notes


def _rename_columns(names: Sequence[str], records: Sequence[_Record]) -> tuple[list[str], Sequence[_Record]]:
    """Rename columns such as `Text`, `SPEAKER` or `Start Time` to their canonical names."""
    canonical = canonical_names(names, COLUMNS)
    if canonical:
        records = [(line, {canonical.get(name, name): value for name, value in row.items()}) for line, row in records]
    return [canonical.get(name, name) for name in names], records


def _add_reviews(path: Path, records: Sequence[_Record]) -> tuple[list[_Record], int]:
    """Convert files of older versions of the service's page, which have a column `corrected` instead of `review`.

    Returns:
        The records, with a review if a reviewer corrected the label, and without a label if it repeats the prediction;
        and the number of the latter.
    """
    reviewed: list[_Record] = []
    repeated = 0
    for line, record in records:
        corrected, label, emotion = (tidy(str(record.get(name, ""))) for name in ("corrected", "label", "emotion"))
        added: dict[str, object] = {}
        if corrected.casefold() == "true":
            added = {"review": "corrected"}
        elif corrected.casefold() != "false":
            raise InputError(f"{path}, line {line}: corrected {quoted(corrected)} is invalid; expected true or false")
        elif label == emotion:
            added = {"label": None}
            repeated += 1
        reviewed.append((line, {**record, **added}))
    return reviewed, repeated


def _convert_times(names: Sequence[str], records: Sequence[_Record]) -> tuple[Sequence[_Record], list[str]]:
    """Convert times to seconds, if all are milliseconds (Whisper's tables) or end with frames (Premiere's tables).

    Integers are milliseconds if, read as seconds, they would give more than 25 seconds per character of text: speech
    is neither that slow nor faster than 40 characters per second. Without text, they are milliseconds if the recording
    would otherwise exceed a day.
    """
    timed = [column for column in ("start", "end") if column in names]
    values = ([row.get(column) for column in timed] for _, row in records)
    spans = [["" if value is None else str(value).strip() for value in row] for row in values]
    cells = [cell for span in spans for cell in span if cell]
    if not cells or len(timed) < 2:
        return records, []
    if all(map(_FRAMES.fullmatch, cells)):
        note = "times end with frames of unknown rate: read as whole seconds"
        return [(line, _whole_seconds(row)) for line, row in records], [note]
    if all(cell.isascii() and cell.isdigit() and len(cell) < 12 for cell in cells):
        length = sum(int(end) - int(start) for start, end in spans if start and end)
        characters = sum(len(str(row.get("text") or "").strip()) for _, row in records)
        if length > 25 * characters if characters else max(map(int, cells)) > DAY:
            converted = [(line, {**row, **{c: _milliseconds(row.get(c)) for c in timed}}) for line, row in records]
            return converted, ["times are milliseconds"]
    return records, []


def _whole_seconds(row: Mapping[str, object]) -> Mapping[str, object]:
    start, end = (re.sub(r"[:;]\d\d$", "", str(row.get(column) or "").strip()) for column in ("start", "end"))
    return {**row, "start": start, "end": end if end > start else ""}


def _milliseconds(cell: object) -> object:
    """The time in a cell in seconds."""
    text = str(cell).strip() if cell is not None else ""
    return int(text) / 1000 if text else None


def _sorted(path: Path, rows: Sequence[tuple[float, Turn]]) -> list[Turn]:
    """Sort the turns of a conversation, and remove repeated lines."""
    seen: dict[str, Turn] = {}
    turns = []
    for _, turn in sorted(rows, key=lambda row: row[0]):
        before = seen.setdefault(turn.id, turn) if turn.id is not None else turn
        if before is turn:
            turns.append(turn)
        elif replace(before, line=turn.line) != turn:
            raise InputError(
                f"{path}, line {turn.line}: utterance {quoted(turn.id)} repeats line {before.line} with other values"
            )
    return turns


def _turn(path: Path, line: int, record: Mapping[str, object]) -> tuple[float, Turn]:
    """The turn of a line, and its sort key."""
    where = f"{path}, line {line}"
    cells = {name: cell_text(where, name, _repaired(name, record.get(name))) for name in COLUMNS}
    values = {name: tidy(cell) or None if cell else None for name, cell in cells.items()}
    order = cell_number(where, "order", values["order"])
    return math.inf if order is None else order, Turn(
        line=line,
        text=values["text"],
        speaker=values["speaker"],
        start=cell_seconds(where, "start", values["start"]),
        end=cell_seconds(where, "end", values["end"]),
        id=values["utterance"],
        label=values["label"],
        clip=resolve_beside(path, values["media"]) if values["media"] else None,
        conversation=values["conversation"],
        review=_review(where, values["review"]) if values["label"] else None,
        words=read_words(where, words) if isinstance(words := record.get(WORDS), list) else (),
        annotations=_annotations(record.get(ANNOTATIONS)),
    )


def _extra(record: Mapping[str, object], names: Sequence[str]) -> dict[str, Value]:
    """The values of these fields that are text, numbers, true or false."""
    found: dict[str, Value] = {}
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            value = repair_windows1252(value).strip()
        if isinstance(value, str | int | float) and value != "" and value == value:
            found[name.removeprefix(_FIELD)] = value
    return found


def _annotations(value: object) -> tuple[Annotation, ...]:
    """The labels of annotators; none if the field has another meaning."""
    if not isinstance(value, list):
        return ()
    found = []
    for one in value:
        if not isinstance(one, Mapping):
            return ()
        annotator, label, confidence = (one.get(name) for name in ("annotator", "label", "confidence"))
        if not (isinstance(annotator, str) and isinstance(label, str) and annotator and label):
            return ()
        sure = float(confidence) if isinstance(confidence, int | float) and math.isfinite(confidence) else None
        found.append(Annotation(tidy(annotator), tidy(label), sure))
    return tuple(found)


def _review(where: str, text: str | None) -> Review | None:
    """The review in a cell; None for an empty cell."""
    known: tuple[Review, ...] = get_args(Review)
    found = next((review for review in known if text and review == text.casefold()), None)
    if text and found is None:
        raise InputError(f"{where}: review {quoted(text)} is unknown{near_miss(text, known)}")
    return found


def _repaired(column: str, value: object) -> object:
    """Repair text before white space is trimmed, since U+0085 was an ellipsis; format times, so that NaN is invalid."""
    if isinstance(value, str):
        return repair_windows1252(value)
    return str(value) if isinstance(value, float) and column in ("start", "end") else value
