"""Reads predictions from files of runs or of other programs.

| column         |          | what it holds                                         |
|----------------|----------|-------------------------------------------------------|
| `conversation` | required | the conversation's id                                 |
| `utterance`    | required | its id in the conversation                            |
| `emotion`      | required | what was predicted                                    |
| `label`        |          | the annotated emotion; empty if there is none      |

JSON Lines (.jsonl, .ndjson), a JSON array (.json) or CSV; further columns are left aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.columns import cell_text, check_columns
from sdt.formats.csv_lines import read_csv, read_text
from sdt.formats.json_records import json_array, json_lines
from sdt.formats.utterance_table import JSON_LINES

Place = tuple[str, str]
"""(conversation id, utterance id)."""

REQUIRED = ("conversation", "utterance", "emotion")
COLUMNS = (*REQUIRED, "label")


@dataclass(frozen=True)
class Predicted:
    """What one model says of a test set."""

    path: Path
    emotions: Mapping[Place, str]
    annotated: Mapping[Place, str]
    """What the file itself says of the annotation; empty if it has no `label`."""
    labels: tuple[str, ...] | None
    """The model's labels in their order, where the file has its probabilities."""


def read_predicted(path: Path) -> Predicted:
    """Read a file of predictions.

    Raises:
        InputError: It cannot be read, a column is missing or misspelt, a cell is empty, or an utterance occurs twice.
    """
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        records = list(json_lines(path))
    elif suffix == ".json":
        records = list(json_array(path, read_text(path)))
    elif suffix == ".csv":
        records = list(_csv_lines(path))
    else:
        raise InputError(f"{path}: predictions are read from .csv, .jsonl, .ndjson or .json")
    if not records:
        raise InputError(f"{path}: no predictions")
    found = dict.fromkeys(name for _, record in records for name in record)
    check_columns(path, list(found), columns=COLUMNS, required=REQUIRED)
    emotions: dict[Place, str] = {}
    annotated: dict[Place, str] = {}
    for line, record in records:
        where = f"{path}, line {line}"
        conversation, utterance, emotion = (_cell(where, name, record.get(name)) for name in REQUIRED)
        place = conversation, utterance
        if place in emotions:
            raise InputError(f"{where}: utterance {utterance!r} of conversation {conversation!r} occurs twice")
        emotions[place] = emotion
        label = cell_text(where, "label", record.get("label"))
        if label is not None:
            annotated[place] = label
    probabilities = records[0][1].get("probabilities")
    labels = tuple(probabilities) if isinstance(probabilities, dict) else None
    return Predicted(path, emotions, annotated, labels)


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    header, *lines = read_csv(path)
    names = [name.strip() for name in header.cells]
    for line in lines:
        yield line.number, dict(zip(names, line.cells, strict=True))


def _cell(where: str, column: str, value: object) -> str:
    text = cell_text(where, column, value)
    if text is None:
        raise InputError(f"{where}: {column} is empty")
    return text
