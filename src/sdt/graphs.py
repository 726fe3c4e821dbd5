"""ONNX graphs without weights: their initializers are tensors of safetensors files, which onnxruntime maps into memory.

A model folder thus has each weight once, and PyTorch and onnxruntime compute with the same numbers. A graph refers to
its weights as ONNX defines it for external data: by file, offset and length. What a graph was made from is in its
metadata, so that a graph of other weights is recognised.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sdt.cores import usable_cores
from sdt.errors import InputError, MissingDependencyError, describe_error

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

_METADATA = 14
"""The number of the field `metadata_props` of `ModelProto` in onnx.proto."""
MAX_HEADER = 100_000_000
"""Bytes of the header of a safetensors file; the limit of the format."""


class StoredTensor(NamedTuple):
    """Where a tensor is in a safetensors file."""

    file: str
    """The path of the file, relative to the folder that a session is opened with."""
    dtype: str
    """`F32`, `F16`, ..."""
    shape: tuple[int, ...]
    offset: int
    """Bytes from the start of the file."""
    size: int
    """Bytes."""


def stored_tensors(folder: Path, files: Sequence[str]) -> dict[str, StoredTensor]:
    """Read the headers of safetensors files.

    Args:
        folder: Their folder.
        files: Their paths, relative to the folder.

    Raises:
        InputError: A file is damaged or missing.
    """
    found = {}
    for file in files:
        try:
            header = _header(folder / file)
            start = 8 + len(header)
            for name, of in json.loads(header).items():
                if name != "__metadata__":
                    first, end = of["data_offsets"]
                    found[name] = StoredTensor(file, of["dtype"], tuple(of["shape"]), start + first, end - first)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{folder / file}: damaged ({describe_error(error)})") from None
    return found


def layout_digest(folder: Path, files: Sequence[str]) -> str:
    """The SHA-256 of the sizes and headers of safetensors files: where each tensor is, but not its values.

    Raises:
        InputError: A file is damaged or missing.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(_header(folder / file))
        digest.update(str(os.path.getsize(folder / file)).encode())  # noqa: PTH202 - as a number
    return digest.hexdigest()


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = file.read(size) if size <= MAX_HEADER else b""
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not header or len(header) != size:
        raise InputError(f"{path}: damaged (no header of a safetensors file)")
    return header


def external_tensor(name: str, tensor: StoredTensor) -> onnx.TensorProto:
    """An initializer whose values are in a safetensors file; its type is F32, F16 or I8."""
    from onnx import TensorProto

    kind = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "I8": TensorProto.INT8}[tensor.dtype]
    found = TensorProto(name=name, data_type=kind, dims=tensor.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", tensor.file), ("offset", tensor.offset), ("length", tensor.size)):
        found.external_data.add(key=key, value=str(value))
    return found


def open_session(graph: Path, folder: Path | None = None, *, repack: bool = True) -> InferenceSession:
    """Load a graph.

    Args:
        graph: The file.
        folder: The folder of the weights; None for that of the graph.
        repack: Whether weights are repacked for products of few rows, which are then faster; this takes time and memory
            for a copy of the weights.

    Raises:
        InputError: The graph or its weights cannot be loaded.
        MissingDependencyError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependencyError(f"{graph}: needs onnxruntime; install it with: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = _threads()
    # Threads that spin while they wait are several times slower on shared cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_prepacking", "0" if repack else "1")
    try:
        if folder is None:
            return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        return onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of onnxruntime have no common base class
        raise InputError(f"{graph}: cannot be loaded ({describe_error(error)})") from None


def read_metadata(graph: Path) -> dict[str, Any]:
    """Read the JSON values in the metadata of a graph, without loading it.

    Raises:
        InputError: The file is damaged or missing.
    """
    try:
        data = graph.read_bytes()
        entries = [dict(_fields(entry)) for number, entry in _fields(data) if number == _METADATA]
        return {str(entry[1], "utf-8"): json.loads(entry[2]) for entry in entries}
    except OSError as error:
        raise InputError(f"{graph}: cannot be read ({error.strerror or error})") from None
    except (ValueError, IndexError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{graph}: damaged ({describe_error(error)})") from None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that have a length: strings, bytes and messages."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        size, at = _varint(data, at)  # or the value of a number
        if key & 7 == 2:
            if at + size > len(data):
                raise ValueError("truncated")
            yield key >> 3, data[at : at + size]
            at += size
        elif key & 7:
            raise ValueError("not a graph")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while data[at] & 128:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def set_metadata(graph: onnx.ModelProto, values: Mapping[str, object]) -> None:
    """Write JSON values into the metadata of a graph."""
    from onnx import helper

    helper.set_model_props(graph, {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()})


def _threads() -> int:
    """The number of threads of a session: `OMP_NUM_THREADS`, as for PyTorch, or all usable cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(given), 256) if given.isdecimal() and int(given) else usable_cores()
