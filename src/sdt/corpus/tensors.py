"""Safetensors files that are larger than memory: memory-mapped for reading, written in chunks."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from sdt.errors import InputError, describe_error, quoted

# The library writes tensors in the reverse of this order: the widest type first, so that all tensors are aligned.
_KINDS = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}
_ALIGNMENT = 8


@dataclass(frozen=True)
class TensorChunks:
    """A tensor whose values are produced while it is written."""

    dtype: npt.DTypeLike
    shape: tuple[int, ...]
    chunks: Iterable[npt.NDArray[Any]]
    """Parts of the tensor along the first axis, in order."""


def map_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Memory-map the tensors of a file, without reading their values.

    Returns:
        Tensor name to a read-only array.

    Raises:
        InputError: The file is missing, damaged or truncated, or has a tensor of an unsupported type.
    """
    try:
        with safe_open(path, framework="np"):
            pass  # the library checks that the header is consistent and fits the file size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        raw = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))[8 + length :]
        return {name: _view(raw, entry) for name, entry in header.items() if name != "__metadata__"}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else describe_error(error)
        raise InputError(f"{path}: cannot be read ({why})") from None


def _view(raw: npt.NDArray[np.uint8], entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    first, end = entry["data_offsets"]
    if entry["dtype"] not in _KINDS:
        raise ValueError(f"values of type {quoted(entry['dtype'])}")
    return raw[first:end].view(_KINDS[entry["dtype"]]).reshape(entry["shape"])


def write_tensors(path: Path, tensors: Mapping[str, TensorChunks | npt.NDArray[Any]]) -> str:
    """Write tensors to a file; the bytes are those that `safetensors.numpy.save_file` writes.

    Args:
        path: The new file.
        tensors: Tensor name to tensor.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        ValueError: The chunks of a tensor do not have its shape.
    """
    parts = {
        name: tensor if isinstance(tensor, TensorChunks) else TensorChunks(tensor.dtype, tensor.shape, (tensor,))
        for name, tensor in tensors.items()
    }
    kinds = {name: _kind(np.dtype(part.dtype)) for name, part in parts.items()}
    rank = list(_KINDS)
    order = sorted(parts, key=lambda name: (-rank.index(kinds[name]), name))
    header, first = {}, 0
    for name in order:
        size = _size(parts[name])
        header[name] = {"dtype": kinds[name], "shape": parts[name].shape, "data_offsets": [first, first + size]}
        first += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with HashedFile(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            _write(file, name, parts[name], _KINDS[kinds[name]])
    return file.sha256


def _kind(dtype: np.dtype[Any]) -> str:
    return next(name for name, known in _KINDS.items() if known == dtype)


def _size(part: TensorChunks) -> int:
    return math.prod(part.shape) * np.dtype(part.dtype).itemsize


def _write(file: HashedFile, name: str, part: TensorChunks, dtype: np.dtype[Any]) -> None:
    begun = file.size
    for chunk in part.chunks:
        if chunk.shape[1:] != part.shape[1:]:
            raise ValueError(f"tensor {name!r}: a chunk of shape {chunk.shape} in one of shape {part.shape}")
        file.write(np.ascontiguousarray(chunk, dtype=dtype).tobytes())
    if file.size - begun != _size(part):
        raise ValueError(
            f"tensor {name!r}: its chunks have {file.size - begun} bytes, which does not fit the shape {part.shape}"
        )


class HashedFile:
    """A file that computes its SHA-256 while it is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes written."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes written so far, in hexadecimal."""
        return self._hash.hexdigest()

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
