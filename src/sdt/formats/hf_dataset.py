"""Folders that `datasets.Dataset.save_to_disk` and `DatasetDict.save_to_disk` write. Requires pyarrow, not `datasets`.

A dataset is a folder with `state.json`, which lists the files of the table, `dataset_info.json` with the names of
classes, and the table in the streaming format of Arrow. A dictionary of datasets is a folder of such folders with
`dataset_dict.json`, which lists them; the name of the folder becomes the field `split`.

https://huggingface.co/docs/datasets/package_reference/main_classes#datasets.Dataset.save_to_disk
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdt.errors import InputError, quoted
from sdt.files import max_expanded_bytes
from sdt.formats.arrow_records import read_table_records, require_pyarrow, table_records, to_table
from sdt.formats.format import Format
from sdt.formats.parquet_table import ARROW
from sdt.formats.transcript import Transcript

_STATE, _INFO, _DICT = "state.json", "dataset_info.json", "dataset_dict.json"
_DATA = "data-00000-of-00001.arrow"
_SPLIT = "split"
_MAX_JSON = 16 * 2**20


def matches(path: Path, _: bytes) -> bool:
    """Whether a folder has the files of a dataset."""
    return (path / _DICT).is_file() or ((path / _STATE).is_file() and (path / _INFO).is_file())


def read(path: Path) -> Transcript:
    """Read a folder.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        InputError: A file is missing or damaged, the datasets of splits have different columns, or a value is invalid.
    """
    pa = require_pyarrow("reading datasets")
    if not (path / _DICT).is_file():
        table = _read_dataset(pa, path)
        return read_table_records(path / _STATE, table, table_records(table, _classes(path)))
    splits = _json(path / _DICT).get("splits")
    if not isinstance(splits, list) or not splits or not all(isinstance(name, str) for name in splits):
        raise InputError(f"{path / _DICT}: 'splits' is not a list of names")
    records: list[Mapping[str, object]] = []
    for name in splits:
        folder = _inside(path, name)
        table = _read_dataset(pa, folder)
        records += [{_SPLIT: name, **record} for record in table_records(table, _classes(folder))]
    return read_table_records(path / _DICT, table, records)


def write(transcript: Transcript, path: Path) -> None:
    """Write one dataset into an empty folder.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    pa = require_pyarrow("writing datasets")
    table = to_table(transcript, path / _DATA)
    with pa.OSFile(str(path / _DATA), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    state: dict[str, object] = {
        "_data_files": [{"filename": _DATA}],
        "_fingerprint": "sdt",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (path / _STATE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    # Without `features`, `datasets` takes the types of the table. Their JSON differs between its versions.
    (path / _INFO).write_text("{}\n", encoding="utf-8")


def _read_dataset(pa: Any, folder: Path) -> Any:  # noqa: ANN401
    files = _json(folder / _STATE).get("_data_files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise InputError(f"{folder / _STATE}: '_data_files' is not a list of files")
    tables = [_read_stream(pa, _inside(folder, str(file.get("filename")))) for file in files]
    if not tables:
        raise InputError(f"{folder}: the dataset has no files")
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid:
        raise InputError(f"{folder}: the files of the dataset have different columns") from None


def _read_stream(pa: Any, path: Path) -> Any:  # noqa: ANN401
    try:
        with pa.memory_map(str(path)) as file:
            for message in pa.ipc.MessageReader.open_stream(file):
                if _is_compressed(message.metadata.to_pybytes()):
                    raise InputError(f"{path}: the table is compressed; save it again with datasets.save_to_disk")
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
            table.validate(full=True)
    except InputError:
        raise
    except (OSError, ValueError, NotImplementedError, struct.error) as error:  # includes the errors of pyarrow
        raise InputError(
            f"{path}: cannot be read as a stream of Arrow ({type(error).__name__}: {quoted(str(error))})"
        ) from None
    cells, limit = table.num_rows * table.num_columns, max_expanded_bytes(path.stat().st_size)
    if cells > limit:
        raise InputError(
            f"{path}: {cells:,} values exceed the limit of {limit:,} for a file of its size; is it damaged?"
        )
    return table


def _is_compressed(metadata: bytes) -> bool:
    """Whether a message of Arrow has compressed buffers, which could expand to any size.

    Flatbuffers of https://github.com/apache/arrow/blob/main/format/Message.fbs: the fields of a Message are version,
    type and content of the header; of a DictionaryBatch, id and data; of a RecordBatch, length, nodes, buffers and
    compression.
    """
    message = struct.unpack_from("<I", metadata, 0)[0]
    kind_at, content_at = _field(metadata, message, 1), _field(metadata, message, 2)
    if not kind_at or not content_at:
        return False
    kind, batch = metadata[kind_at], _target(metadata, content_at)
    if kind == 2 and (data := _field(metadata, batch, 1)):
        kind, batch = 3, _target(metadata, data)
    return kind == 3 and _field(metadata, batch, 3) != 0


def _field(buffer: bytes, table: int, number: int) -> int:
    """The position of a field of a flatbuffer table; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    at = 4 + 2 * number
    if at >= struct.unpack_from("<H", buffer, vtable)[0]:
        return 0
    offset: int = struct.unpack_from("<H", buffer, vtable + at)[0]
    return table + offset if offset else 0


def _target(buffer: bytes, at: int) -> int:
    return int(at + struct.unpack_from("<I", buffer, at)[0])


def _classes(folder: Path) -> dict[str, list[str]]:
    """The names of the classes of each column that has classes."""
    features = _json(folder / _INFO).get("features")
    if not isinstance(features, dict):
        return {}
    return {
        column: [str(name) for name in feature["names"]]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }


def _json(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        value = json.loads(path.read_text(encoding="utf-8")) if size <= _MAX_JSON else None
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: is not a JSON object of at most {_MAX_JSON:,} bytes")
    return value


def _inside(folder: Path, name: str) -> Path:
    """A file or folder in a folder; names that lead elsewhere are refused."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise InputError(f"{folder}: {quoted(name)} is not the name of a file in this folder")
    return folder / name


HF_DATASET = Format(
    "datasets",
    (),
    title="Hugging Face `datasets` folder",
    holds=ARROW,
    step=0.001,
    content="folder",
    matches_file=matches,
    read_file=read,
    write_file=write,
)
