"""Writer of audformat databases; see `sdt.formats.audformat`. Requires pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sdt.formats.arrow_records import require_pyarrow
from sdt.formats.parsing.conversation_fields import transcript_fields
from sdt.formats.records import flatten, transcript_records
from sdt.formats.transcript import Transcript

HEADER = "db.yaml"
FIELD, ENCODING = "field", "encoding"
"""The keys of a column in the header: the field of `sdt.formats.records` that it has, and `json` for text in JSON."""
ANNOTATION, CONFIDENCE, FIELDS = "annotation", "confidence of the annotation", "conversation fields"
"""The fields of the columns of an annotator, and of the table of conversations."""
_EMOTION, _SURE, _MODEL = "emotion", "confidence", "sdt"
_NAMES = {"label": _EMOTION, "emotion": "emotion.predicted"}
"""The names of columns that differ from those of fields."""
_DTYPES: dict[type, str] = {str: "str", bool: "bool", int: "int", float: "float"}
_MAX_INTEGER = 2**63


class _Column(NamedTuple):
    """A column of all tables of utterances."""

    field: str
    values: list[object]
    scheme: str
    rater: str | None = None


def write(transcript: Transcript, path: Path) -> None:
    """Write a database into an empty folder.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    require_pyarrow("writing audformat databases")
    rows = list(transcript_records(transcript, path / HEADER))
    schemes: dict[str, dict[str, object]] = {}
    columns = dict(_named(_columns(rows, schemes)))
    raters = {
        column.rater: {"type": "machine" if column.field == "emotion" else "human"} for column in columns.values()
    }
    header: dict[str, object] = {
        "name": "conversations",
        "source": "sdt",
        "usage": "other",
        "description": "Conversations with emotions.",
        "schemes": schemes,
        "raters": {rater: of for rater, of in raters.items() if rater is not None},
        "tables": {},
        "misc_tables": {},
    }
    described = {name: _described(column) for name, column in columns.items()}
    media = {of.id: of.media or of.id for of in transcript.conversations}
    for table, (kind, index) in _tables(rows, media).items():
        if kind == "misc":
            of_table: dict[str, object] = {"levels": {"number": "int"}, "columns": described}
        else:
            of_table = {"type": kind, "columns": described}
        header["misc_tables" if kind == "misc" else "tables"][table] = of_table  # type: ignore[index]
        _write_table(path, table, columns, index, schemes)
    if fields := transcript_fields(transcript):
        schemes["json"] = {"dtype": "str"}
        column = _Column(FIELDS, [json.dumps(of, ensure_ascii=False) for of in fields.values()], "json")
        header["misc_tables"]["conversations"] = {  # type: ignore[index]
            "levels": {"conversation": "str"},
            "columns": {"fields": _described(column)},
        }
        _write_table(path, "conversations", {"fields": column}, {"conversation": dict(enumerate(fields))}, schemes)
    text = yaml.safe_dump(header, allow_unicode=True, sort_keys=False, width=120)
    (path / HEADER).write_text(text, encoding="utf-8")


def _columns(rows: Sequence[dict[str, Any]], schemes: dict[str, dict[str, object]]) -> Iterator[_Column]:
    """The columns of the utterances; their schemes are added to `schemes`."""
    flat = [
        {"order": number, **flatten(row), **({"words": row["words"]} if "words" in row else {})}
        for number, row in enumerate(rows)
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    annotations = list(_annotations(rows))
    labels = {value for row in flat for value in (row.get("label"), row.get("emotion")) if isinstance(value, str)}
    labels |= {value for column in annotations if column.field == ANNOTATION for value in column.values if value}  # type: ignore[misc]
    schemes[_EMOTION] = {"dtype": "str", "labels": sorted(labels)} if labels else {"dtype": "str"}
    if annotations:
        schemes[_SURE] = {"dtype": "float", "minimum": 0, "maximum": 1}
    predicted = "probability" in names and "emotion" in names
    taken = {column.rater for column in annotations}
    model = _MODEL
    while model in taken:
        model += "_"
    for name in names:
        column = _Column(name, [row.get(name) for row in flat], "")
        if name == "label" or (name == "emotion" and predicted):
            yield column._replace(scheme=_EMOTION, rater=model if name == "emotion" else None)
        else:
            yield column._replace(scheme=_scheme(column.values, schemes))
    yield from annotations


def _annotations(rows: Sequence[dict[str, Any]]) -> Iterator[_Column]:
    """Two columns of each annotator; more for those who gave several labels to an utterance."""
    columns: dict[tuple[str, int], tuple[list[object], list[object]]] = {}
    for number, row in enumerate(rows):
        given: dict[str, int] = {}
        for one in row.get("annotations", ()):
            annotator = one["annotator"]
            key = annotator, given.setdefault(annotator, 0)
            given[annotator] += 1
            labels, confidences = columns.setdefault(key, ([None] * len(rows), [None] * len(rows)))
            labels[number], confidences[number] = one["label"], one.get("confidence")
    for (annotator, _), (labels, confidences) in columns.items():
        yield _Column(ANNOTATION, labels, _EMOTION, annotator)
        yield _Column(CONFIDENCE, confidences, _SURE, annotator)


def _scheme(values: list[object], schemes: dict[str, dict[str, object]]) -> str:
    """The scheme of the type of values; those of several types become text in JSON."""
    types = {type(value) for value in values if value is not None}
    found = types.pop() if len(types) == 1 else float if types == {int, float} else str if not types else None
    if found is int and any(abs(value) >= _MAX_INTEGER for value in values if isinstance(value, int)):
        found = None
    name = _DTYPES.get(found, "json") if found else "json"
    if name == "json":
        values[:] = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    schemes.setdefault(name, {"dtype": "str" if name == "json" else name})
    return name


def _named(columns: Iterator[_Column]) -> Iterator[tuple[str, _Column]]:
    """Columns with a name for each, which no other one has."""
    taken: set[str] = set()
    for column in columns:
        name = _NAMES.get(column.field, column.field) if column.scheme == _EMOTION else column.field
        if column.rater is not None and column.field in (ANNOTATION, CONFIDENCE):
            name = f"{_EMOTION}.{column.rater}" + (f".{_SURE}" if column.field == CONFIDENCE else "")
        while name in taken or name in ("file", "start", "end", "number"):
            name += "_"
        taken.add(name)
        yield name, column


def _described(column: _Column) -> dict[str, object]:
    """The entry of a column in the header."""
    entry: dict[str, object] = {"scheme_id": column.scheme, FIELD: column.field}
    if column.rater is not None:
        entry["rater_id"] = column.rater
    if column.scheme == "json":
        entry[ENCODING] = "json"
    return entry


def _tables(rows: Sequence[dict[str, Any]], media: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The kind of each table, and its index: the columns that identify a row, from numbers of utterances to values.

    Utterances with their own media file are in a table of files, those with times in a table of segments. In both, a
    row must be unique; the other utterances are in a table with numbers.
    """
    clips: dict[int, str] = {}
    segments: dict[int, tuple[str, float, float | None]] = {}
    others: dict[int, int] = {}
    seen: set[object] = set()
    for number, row in enumerate(rows):
        clip, start = row.get("media"), row["start"]
        segment = (media[row["conversation"]], start, row["end"])
        if clip is not None and clip not in seen:
            clips[number] = clip
            seen.add(clip)
        elif clip is None and start is not None and segment not in seen:
            segments[number] = segment
            seen.add(segment)
        else:
            others[number] = number
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    if clips:
        found["clips"] = "filewise", {"file": clips}
    if segments:
        of = {
            name: {n: segment[side] for n, segment in segments.items()}
            for side, name in enumerate(("file", "start", "end"))
        }
        found["utterances"] = "segmented", of
    if others:
        found["other"] = "misc", {"number": others}
    return found


def _write_table(
    path: Path,
    table: str,
    columns: Mapping[str, _Column],
    index: Mapping[str, Mapping[int, Any]],
    schemes: Mapping[str, Mapping[str, object]],
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {"str": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    rows = list(next(iter(index.values())))
    arrays = {}
    for name, of in index.items():
        values = [of[row] for row in rows]
        if name in ("start", "end"):
            values = [None if value is None else round(1e9 * value) for value in values]
        kind = {"start": pa.duration("ns"), "end": pa.duration("ns"), "number": pa.int64()}.get(name, pa.string())
        arrays[name] = pa.array(values, kind)
    for name, column in columns.items():
        arrays[name] = pa.array([column.values[row] for row in rows], types[str(schemes[column.scheme]["dtype"])])
    parquet.write_table(pa.table(arrays), path / f"db.{table}.parquet")
