"""Databases of audformat, which nkululeko and audEERING's tools use: a header `db.yaml`, and tables in Parquet or CSV.

A table has a row for each file, or for each segment of a file; its columns belong to schemes and raters. Tables with
pickled data are not read.

| scheme or name of the column                               | becomes                                               |
|------------------------------------------------------------|-------------------------------------------------------|
| `emotion`, `emotions`, `label` or `labels`, of text        | the label, if it is the only one, has no rater, or a  |
|                                                            | rater such as `gold`; otherwise that of an annotator  |
| `transcription`, `transcript`, `text`                      | the text                                              |
| `speaker`; `conversation`, `dialogue`, `dialog`, `session` | the speaker; the conversation                         |
| others                                                     | `Utterance.extra`                                     |

Codes of schemes with labels are replaced by what they mean. Without a column of conversations, a file is one. What a
table says of a file applies to its segments.

Written databases have a table of segments `utterances`, a table of files `clips` for utterances with their own media
file, and a table without files, `other`, for the rest. The header names the field of each column, so that everything is
read again.

https://audeering.github.io/audformat/data-format.html
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sdt.errors import InputError, join_names, quoted
from sdt.formats.arrow_records import table_records
from sdt.formats.audformat_writer import ANNOTATION, CONFIDENCE, ENCODING, FIELD, FIELDS, HEADER, write
from sdt.formats.format import Format, Holds
from sdt.formats.json_lines import RECORDS
from sdt.formats.parsing.conversation_fields import with_fields
from sdt.formats.parsing.csv_lines import read_text
from sdt.formats.parsing.parquet import read_columns
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.transcript import Transcript, assemble

_LABEL = ("emotion", "emotions", "label", "labels")
_ROLES = {
    "transcription": "text", "transcript": "text", "text": "text", "speaker": "speaker", "conversation": "conversation",
    "dialogue": "conversation", "dialog": "conversation", "session": "conversation",
}  # fmt: skip
_CONSENSUS = re.compile(r"gold|consensus|majority|vote|agreed", re.IGNORECASE)
_MAX_HEADER = 16 * 2**20
_TIMEDELTA = re.compile(r"(?:(\d+) days?,? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
_TYPES: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": lambda text: text.casefold() == "true",
}

_Key = tuple[str, float | None, float | None]
"""File, start, end; without times for a whole file."""


class _Role(NamedTuple):
    """What a column is."""

    field: str
    rater: str
    labels: Mapping[Any, Any]
    """The meaning of codes."""
    dtype: str
    own: bool = False
    """Whether this program wrote it."""
    encoded: bool = False


def matches(path: Path, _: bytes) -> bool:
    """Whether a folder has the header of a database."""
    return (path / HEADER).is_file()


def read(path: Path) -> Transcript:
    """Read a folder.

    Raises:
        MissingDependencyError: A table is Parquet, and pyarrow is not installed.
        InputError: The header or a table is damaged or missing, or an utterance has an invalid value.
    """
    header = _header(path / HEADER)
    schemes, raters = _section(header, "schemes"), _section(header, "raters")
    numbered: list[dict[str, Any]] = []
    by_key: dict[_Key, dict[str, Any]] = {}
    fields: dict[str, object] = {}
    misc, tables = _section(header, "misc_tables"), _section(header, "tables")
    single = len({column for of in tables.values() for column in _label_columns(of, schemes)}) == 1
    for table, of in {**misc, **tables}.items():
        columns = _section(of, "columns")
        roles = {name: _role(name, column, schemes, raters, single=single) for name, column in columns.items()}
        own = any(role.own for role in roles.values())
        if table in misc and not own:
            continue  # the meanings of the labels of a scheme
        index = [] if table in misc else ["file"] if of.get("type") == "filewise" else ["file", "start", "end"]
        split = _section(header, "splits").get(str(of.get("split_id")), {}).get("type")
        for row in _rows(path, table, index, roles):
            record = _record(path / HEADER, row, roles)
            if own and FIELDS in record:
                fields[str(row.get("conversation"))] = record[FIELDS]
            elif own:
                numbered.append(record)
            else:
                key = str(row["file"]), _seconds(row.get("start")), _seconds(row.get("end"))
                entry = by_key.setdefault(key, {"annotations": []})
                entry["annotations"] = entry["annotations"] + record.pop("annotations")
                entry |= ({"split": split} if split else {}) | record
    records = sorted(numbered, key=_order) if numbered else list(_by_file(by_key, fields))
    turns, notes = read_records(path / HEADER, list(enumerate(records, start=1)))
    return with_fields(assemble(path / HEADER, turns, notes), fields)


def _order(record: Mapping[str, object]) -> float:
    order = record.get("order")
    return order if isinstance(order, int) else 0


def _label_columns(table: Mapping[str, Any], schemes: Mapping[str, Any]) -> Iterator[str]:
    for name, column in _section(table, "columns").items():
        if FIELD not in column and _is_label(name, column, schemes):
            yield name


def _is_label(name: str, column: Mapping[str, Any], schemes: Mapping[str, Any]) -> bool:
    scheme = str(column.get("scheme_id", name))
    return scheme.casefold() in _LABEL and schemes.get(scheme, {}).get("dtype", "str") == "str"


def _role(
    name: str, column: Mapping[str, Any], schemes: Mapping[str, Any], raters: Mapping[str, Any], *, single: bool
) -> _Role:
    scheme = schemes.get(str(column.get("scheme_id")), {})
    labels = scheme.get("labels")
    rater = str(column.get("rater_id") or "")
    if isinstance(column.get(FIELD), str):
        encoded = column.get(ENCODING) == "json"
        return _Role(column[FIELD], rater, {}, str(scheme.get("dtype", "str")), own=True, encoded=encoded)
    field = _ROLES.get(str(column.get("scheme_id", name)).casefold()) or _ROLES.get(name.casefold()) or name
    if _is_label(name, column, schemes):
        kind = raters.get(rater, {}).get("type", "human")
        consensus = single or not rater or kind != "human" or _CONSENSUS.search(rater)
        field = "label" if consensus and kind != "machine" else ANNOTATION if kind == "human" else name
    meanings = (
        {key: value for key, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
    )
    return _Role(field, rater, meanings, str(scheme.get("dtype", "str")))


def _record(path: Path, row: Mapping[str, object], roles: Mapping[str, _Role]) -> dict[str, Any]:
    """The fields of a row."""
    record: dict[str, Any] = {"annotations": []}
    for name, role in roles.items():
        value = row.get(name)
        if value is None:
            if role.own and role.field not in (ANNOTATION, CONFIDENCE):
                record.setdefault(role.field, None)
            continue
        if role.encoded:
            try:
                value = json.loads(str(value))
            except (ValueError, RecursionError):
                raise InputError(f"{path}: column {quoted(name)} has text that is not JSON") from None
        if isinstance(value, str | int):
            value = role.labels.get(value, value)
        if role.field == ANNOTATION:
            record["annotations"].append({"annotator": role.rater, "label": str(value)})
        elif role.field == CONFIDENCE:
            record["annotations"][-1:] = [{**one, "confidence": value} for one in record["annotations"][-1:]]
        else:
            record.setdefault(role.field, value)
    return record


def _by_file(by_key: Mapping[_Key, Mapping[str, Any]], fields: dict[str, object]) -> Iterator[dict[str, Any]]:
    """The utterances of tables of other programs, by file and time; a file is a conversation if no column names it."""
    segmented = {file for file, start, _ in by_key if start is not None}
    order = {file: number for number, file in enumerate(dict.fromkeys(file for file, _, _ in by_key))}
    stems = {file: os.path.splitext(file)[0] for file in order}  # noqa: PTH122 - a path has no empty name
    shared = Counter(stems.values())
    for (file, start, end), record in sorted(by_key.items(), key=lambda item: (order[item[0][0]], item[0][1] or 0.0)):
        if start is None and file in segmented:
            continue
        whole = by_key.get((file, None, None), {}) if start is not None else {}
        id = stems[file] if shared[stems[file]] == 1 else file
        yield {
            "conversation": id,
            "text": None,
            **whole,
            **record,
            "annotations": [*whole.get("annotations", ()), *record["annotations"]],
            **({"start": start, "end": end} if start is not None else {"media": file}),
        }
        if start is not None and "conversation" not in {**whole, **record}:
            fields[id] = {"media": file}


def _rows(path: Path, table: str, index: Sequence[str], roles: Mapping[str, _Role]) -> Iterator[Mapping[str, object]]:
    """The rows of a table, checked to have the columns of the header."""
    if re.search(r"[/\\\0]", table):
        raise InputError(f"{path / HEADER}: {quoted(table)} is not the name of a table")
    file = path / f"db.{table}.parquet"
    rows: Sequence[Mapping[str, object]]
    if file.is_file():
        rows = table_records(read_columns(file))
    elif (file := path / f"db.{table}.csv").is_file():
        rows = list(_csv_rows(file, roles))
    else:
        raise InputError(f"{path}: no file db.{table}.parquet or db.{table}.csv; pickled tables are not read")
    if rows and (absent := [name for name in (*index, *roles) if name not in rows[0]]):
        raise InputError(f"{file}: columns of the header are missing: {join_names(absent[:12])}")
    yield from rows


def _csv_rows(file: Path, roles: Mapping[str, _Role]) -> Iterator[dict[str, object]]:
    reader = csv.DictReader(io.StringIO(read_text(file, encoding="utf-8-sig")))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: not CSV ({error})") from None
    for line, row in enumerate(rows, start=2):
        record: dict[str, object] = {}
        for name, text in row.items():
            if name is None or text is None:
                raise InputError(f"{file}, line {line}: another number of cells than the header")
            dtype = roles[name].dtype if name in roles else "str"
            try:
                record[name] = _TYPES.get(dtype, str)(text) if text else None
            except ValueError:
                raise InputError(f"{file}, line {line}: {name} {quoted(text)} is not of type {dtype}") from None
        yield record


def _seconds(value: object) -> float | None:
    """A time: seconds, or text such as `0 days 00:00:01.500000`."""
    if isinstance(value, int | float):
        return float(value)
    text = str(value or "").strip()
    if not text or text == "NaT":
        return None
    found = _TIMEDELTA.fullmatch(text)
    if found is None:
        raise InputError(f"{quoted(text)} is not a time such as '0 days 00:00:01.5'")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds


def _header(file: Path) -> dict[str, Any]:
    try:
        size = file.stat().st_size
        value = yaml.safe_load(file.read_text(encoding="utf-8")) if size <= _MAX_HEADER else None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read as YAML ({quoted(str(error))})") from None
    if not isinstance(value, dict):
        raise InputError(f"{file}: is not the header of an audformat database of at most {_MAX_HEADER:,} bytes")
    if not value.get("tables") and not value.get("misc_tables"):
        raise InputError(f"{file}: the database has no tables")
    return value


def _section(parent: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """A section of the header whose entries are mappings."""
    found = parent.get(name)
    if not isinstance(found, dict):
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, dict)}


AUDFORMAT = Format(
    "audformat",
    (),
    title="audformat database",
    holds=RECORDS | Holds.MEDIA | Holds.CONVERSATION_EXTRA | Holds.TIERS | Holds.POINTS,
    step=0.001,
    content="folder",
    matches_file=matches,
    read_file=read,
    write_file=write,
)
