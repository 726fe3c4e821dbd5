"""Utterances as tables of Arrow, which Parquet files and datasets of Hugging Face contain.

Columns have the names of `sdt.formats.parsing.turn_records`. Words and annotations are lists of structures. A column
with values of several types is text in JSON, which its metadata says. The metadata of the table has the fields of
conversations; see `sdt.formats.parsing.conversation_fields`.
"""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdt.errors import InputError, MissingDependencyError
from sdt.formats.parsing.conversation_fields import transcript_fields, with_fields
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.records import flatten, transcript_records
from sdt.formats.transcript import Transcript, assemble

_JSON = {b"encoding": b"json"}
_CONVERSATIONS = b"sdt.conversations"
_MAX_INTEGER = 2**53
"""Larger integers are not exact as numbers of double precision."""


def require_pyarrow(what: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Import pyarrow.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise MissingDependencyError(
            f"{what} requires pyarrow; install it with: pip install 'sdt-erc[parquet]'"
        ) from None
    return pyarrow


def to_table(transcript: Transcript, path: Path) -> Any:  # noqa: ANN401
    """A `pyarrow.Table` with a row for each utterance.

    Args:
        transcript: The conversations.
        path: The file to which media files are relative.
    """
    pa = require_pyarrow("writing Parquet files")
    number = pa.float64()
    typed = {
        "start": number,
        "end": number,
        "words": pa.list_(
            pa.struct(
                {"text": pa.string(), "start": number, "end": number, "probability": number, "overlapped": pa.bool_()}
            )
        ),
        "annotations": pa.list_(pa.struct({"annotator": pa.string(), "label": pa.string(), "confidence": number})),
    }
    rows = []
    for record in transcript_records(transcript, path):
        rows.append(flatten(record) | {name: record[name] for name in ("words", "annotations") if name in record})
    fields, columns = [], []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        kind = typed.get(name) or _type(pa, values)
        if kind is None:
            values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        fields.append(pa.field(name, kind or pa.string(), metadata=None if kind is not None else _JSON))
        columns.append(pa.array(values, fields[-1].type))
    of_conversations = transcript_fields(transcript)
    metadata = {_CONVERSATIONS: json.dumps(of_conversations)} if of_conversations else None
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))


def _type(pa: Any, values: Sequence[object]) -> Any:  # noqa: ANN401
    """The type of a column; None if its values have several types."""
    types = {type(value) for value in values if value is not None}
    if types <= {str}:
        return pa.string()
    if types == {bool}:
        return pa.bool_()
    exact = all(abs(value) < _MAX_INTEGER for value in values if isinstance(value, int))
    if types <= {int, float} and exact:
        return pa.float64() if float in types else pa.int64()
    return None


def table_records(table: Any, labels: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, object]]:  # noqa: ANN401
    """The rows of a `pyarrow.Table` as objects.

    Args:
        table: The table.
        labels: The names of the classes of columns that number them.
    """
    names = [str(name) for name in table.column_names]
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        values = _values(column)
        if field.metadata and field.metadata.get(b"encoding") == b"json":
            values = [_parsed(value) for value in values]
        elif labels and field.name in labels:
            values = [_class_name(value, labels[field.name]) for value in values]
        columns.append(values)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def read_table_records(path: Path, table: Any, records: Sequence[Mapping[str, object]]) -> Transcript:  # noqa: ANN401
    """The conversations of the records of a table.

    Args:
        path: The file, for error messages.
        table: The table, whose metadata has the fields of conversations.
        records: Its rows.

    Raises:
        InputError: A column is missing or misspelt, or a value is invalid.
    """
    try:
        fields = json.loads((table.schema.metadata or {}).get(_CONVERSATIONS, b"{}"))
    except ValueError:
        raise InputError(f"{path}: the fields of the conversations in its metadata are damaged") from None
    turns, notes = read_records(path, list(enumerate(records, start=1)))
    return with_fields(assemble(path, turns, notes), fields if isinstance(fields, dict) else {})


def _values(column: Any) -> list[object]:  # noqa: ANN401
    """The values of a column; the values of a dictionary are shared, so that few bytes cannot become many."""
    values: list[object] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            known = [_json_value(value) for value in chunk.dictionary.to_pylist()]
            values += [None if index is None else known[index] for index in chunk.indices.to_pylist()]
        else:
            values += map(_json_value, chunk.to_pylist())
    return values


def _json_value(value: object) -> object:
    """Convert a value to a JSON type, without the empty values of structures; a duration becomes seconds."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_json_value(one) for one in value]
    return None if isinstance(value, bytes) else str(value)


def _parsed(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _class_name(value: object, names: Sequence[str]) -> object:
    """The name of a class; None for numbers without a name, such as -1 for no label."""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
