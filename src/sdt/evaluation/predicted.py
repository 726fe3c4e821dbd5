"""Prediction files of runs or of other programs.

| column         |          | content                                               |
|----------------|----------|-------------------------------------------------------|
| `conversation` | required | id of the conversation                                |
| `utterance`    | required | id of the utterance in the conversation               |
| `emotion`      | required | predicted emotion                                     |
| `label`        |          | annotated emotion; empty if there is none             |

Formats are JSON Lines (.jsonl, .ndjson), a JSON array (.json) and CSV; further columns are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.selection import UtteranceKey
from sdt.errors import InputError
from sdt.formats.parsing.columns import cell_text, check_columns
from sdt.formats.parsing.csv_lines import read_csv, read_text
from sdt.formats.parsing.json_records import json_array, json_lines
from sdt.formats.parsing.utterance_table import JSON_LINES

REQUIRED = ("conversation", "utterance", "emotion")
COLUMNS = (*REQUIRED, "label")


@dataclass(frozen=True)
class PredictionFile:
    """The content of a prediction file: the predictions of one model on a test set."""

    path: Path
    """The file."""
    emotions: Mapping[UtteranceKey, str]
    """Predicted emotions."""
    annotated: Mapping[UtteranceKey, str]
    """Annotated emotions; empty if the file has no `label`."""
    labels: tuple[str, ...] | None
    """Labels of the model in their order, if the file has probabilities."""


def read_prediction_file(path: Path) -> PredictionFile:
    """Read a prediction file.

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
        raise InputError(f"{path}: unsupported format {path.suffix!r}; use .csv, .jsonl, .ndjson or .json")
    if not records:
        raise InputError(f"{path}: the file has no predictions")
    found = dict.fromkeys(name for _, record in records for name in record)
    check_columns(path, list(found), columns=COLUMNS, required=REQUIRED)
    emotions: dict[UtteranceKey, str] = {}
    annotated: dict[UtteranceKey, str] = {}
    for line, record in records:
        where = f"{path}, line {line}"
        conversation, utterance, emotion = (_cell(where, name, record.get(name)) for name in REQUIRED)
        key = conversation, utterance
        if key in emotions:
            raise InputError(f"{where}: utterance {utterance!r} of conversation {conversation!r} occurs twice")
        emotions[key] = emotion
        label = cell_text(where, "label", record.get("label"))
        if label is not None:
            annotated[key] = label
    probabilities = records[0][1].get("probabilities")
    labels = tuple(probabilities) if isinstance(probabilities, dict) else None
    return PredictionFile(path, emotions, annotated, labels)


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
