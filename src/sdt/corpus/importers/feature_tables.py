"""One file of features: a row per utterance, either with a key or by its place in the file.

| file                       | keyed                                             | by place                            |
|----------------------------|---------------------------------------------------|-------------------------------------|
| `.csv` `.tsv` `.txt`       | columns `conversation`, `utterance`, or one of    | all columns are numbers             |
|                            | names                                             |                                     |
| `.parquet` `.pq`           | the same; or a column of vectors                  | the same                            |
| `.npy`                     | a dictionary, as in a pickle                      | a matrix [utterances, width], or an |
|                            |                                                   | array of vectors                    |
| `.safetensors`             |                                                   | a matrix, or `features`, `present`  |
| `.npz`                     | as in a pickle; `encoder`, a text, may name it    | a single matrix                     |
| `.pkl` `.pickle` `.joblib` | a dictionary of vectors, of a matrix per          | a matrix, or a list of vectors      |
| `.pt` `.pth`               | conversation, or of dictionaries of vectors       |                                     |
| a folder                   | a `.npy` file per utterance, named like its clip  |                                     |
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.corpus.importers.alignment import Matrix, Table
from sdt.corpus.importers.feature_cells import read_cells, read_parquet_cells
from sdt.corpus.importers.pickle_values import conversation_id
from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError, describe_error, join_names, quoted
from sdt.files import max_expanded_bytes
from sdt.formats import csv_lines, parquet
from sdt.formats.pickles import reader as unpickle
from sdt.formats.pickles.conversion import joblib_to_pickle, torch_to_pickle

PICKLE_SUFFIXES = (".pkl", ".pickle")
JOBLIB_SUFFIX = ".joblib"
TORCH_SUFFIXES = (".pt", ".pth")
SUFFIXES = (
    *csv_lines.SUFFIXES,
    *parquet.SUFFIXES,
    ".npy",
    ".safetensors",
    ".npz",
    *PICKLE_SUFFIXES,
    JOBLIB_SUFFIX,
    *TORCH_SUFFIXES,
)


def read_table(path: Path) -> Table:
    """Read one file of features, or a folder with a file for each utterance.

    Raises:
        InputError: The file is damaged or of no known kind, holds something other than numbers, or its rows differ in
            width.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix in csv_lines.SUFFIXES:
        return read_cells(path)
    if suffix in parquet.SUFFIXES:
        return read_parquet_cells(path)
    if suffix == ".npy":
        return _npy(path)
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix == ".npz":
        return _npz(path)
    if suffix in PICKLE_SUFFIXES:
        return _of_value(path, unpickle.load(path))
    if suffix == JOBLIB_SUFFIX:
        return _of_value(path, unpickle.loads(path, joblib_to_pickle(path)))
    if suffix in TORCH_SUFFIXES:
        return _of_value(path, unpickle.loads(path, torch_to_pickle(path)))
    raise InputError(f"{path}: no table of features has the ending {quoted(suffix)}; known are: {', '.join(SUFFIXES)}")


def _of_value(path: Path, value: object) -> Table:
    """The table in an unpickled dictionary of vectors, matrix or list of vectors.

    The tuple (D, U) counts as the key `D_U`; of a dictionary in the dictionary, the keys are `D/U`.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        value = value.item() if value.ndim == 0 else list(value)
    if isinstance(value, np.ndarray):
        return _matrix(path, np.asarray(value))
    if isinstance(value, list | tuple) and value:
        table = _stack(path, ((f"row {row}", vector) for row, vector in enumerate(value, start=1)))
        if table.lengths:
            raise InputError(f"{path}: a list of matrices; expected a vector for each utterance")
        return Table(path, table.features, None)
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path}: expected a dictionary from utterance to vector, found {type(value).__name__}")
    return _stack(path, _items(path, value))


def _items(path: Path, value: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    try:
        for key, row in value.items():
            name = "_".join(map(conversation_id, key)) if isinstance(key, tuple) else conversation_id(key)
            if isinstance(row, dict):
                yield from ((f"{name}/{conversation_id(utterance)}", vector) for utterance, vector in row.items())
            else:
                yield name, row
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _npy(path: Path) -> Table:
    _check_magic(path, b"\x93NUMPY", "a .npy file")
    objects = _pickled_objects(path)
    return _matrix(path, _numpy(path)) if objects is None else _of_value(path, unpickle.loads(path, objects))


def _pickled_objects(path: Path) -> bytes | None:
    """The pickle in a `.npy` file that holds Python objects; None where it holds numbers."""
    try:
        with path.open("rb") as file:
            read = np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(file) != (1, 0):
                read = np.lib.format.read_array_header_2_0
            _, _, dtype = read(file)
            return file.read() if dtype == np.dtype(object) else None
    except Exception:  # numpy's reader raises many kinds for damaged files; it is damaged for _numpy, too
        return None


def _folder(path: Path) -> Table:
    """A `.npy` file for each utterance, in a folder or in the folders in it, named like its clip."""
    files = feature_files(path)
    if not files:
        raise InputError(f"{path}: no .npy files in this folder; a folder of features has one for each utterance")
    return _stack(path, _vectors(path, files))


def feature_files(folder: Path) -> list[Path]:
    """The `.npy` files of a folder and of the folders in it, in order."""
    found = sorted([*folder.glob("*.npy"), *folder.glob("*/*.npy")])
    return [file for file in found if not file.name.startswith(".")]


def _vectors(folder: Path, files: Iterable[Path]) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for file in files:
        array = _numpy(file)
        if array.ndim == 2 and len(array) > 1:
            raise InputError(
                f"{file}: {len(array)} rows; expected the vector of an utterance (of features over time, their mean)"
            )
        yield file.relative_to(folder).with_suffix("").as_posix(), array


def _numpy(path: Path) -> npt.NDArray[np.generic]:
    """The array of a `.npy` file."""
    _check_magic(path, b"\x93NUMPY", "a .npy file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Mapped, so that a header that promises more than the file holds costs no memory.
            array: object = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy's reader raises many kinds for damaged files
        raise _damaged(path, error) from None
    assert isinstance(array, np.ndarray)
    return array


def _npz(path: Path) -> Table:
    _check_magic(path, b"PK", "a .npz archive")
    try:
        # Opened here, because numpy leaves it open where it is no archive.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive = np.load(file, allow_pickle=False)
            size, unpacked = path.stat().st_size, sum(entry.file_size for entry in archive.zip.infolist())
            if unpacked > max_expanded_bytes(size):  # what the archive says of an entry is the most that is read of it
                raise InputError(f"{path}: expands to {unpacked:,} bytes, too many for a file of {size:,}")
            arrays = {key: archive[key] for key in archive.files}
    except InputError:
        raise
    except Exception as error:  # numpy's and zipfile's readers raise many kinds for damaged files
        raise _damaged(path, error) from None
    # What `sdt features extract` writes says which encoder made it.
    said = arrays.pop("encoder") if "encoder" in arrays and arrays["encoder"].dtype.kind == "U" else "unknown"
    if not arrays:
        raise InputError(f"{path}: the archive is empty")
    if len(arrays) == 1 and next(iter(arrays.values())).ndim == 2:
        return _matrix(path, next(iter(arrays.values())))
    return replace(_stack(path, arrays.items()), encoder=str(said))


def _safetensors(path: Path) -> Table:
    """A matrix alone, or one with a mask of the rows that are there, as in a corpus folder."""
    tensors = map_tensors(path)
    present = tensors.pop("present", None) if len(tensors) == 2 else None
    if len(tensors) != 1 or (present is not None and "features" not in tensors):
        raise InputError(
            f"{path}: expected one matrix, or 'features' and 'present', found {join_names(sorted(tensors))}"
        )
    table = _matrix(path, next(iter(tensors.values())))
    if present is not None and (present.dtype != np.bool_ or present.shape != (table.size,)):
        raise InputError(
            f"{path}: 'present' is of type {present.dtype} and shape {present.shape}; expected bool, ({table.size},)"
        )
    return replace(table, present=present)


def _check_magic(path: Path, magic: bytes, kind: str) -> None:
    """Refuse a file that is something else; numpy would call it a pickle and advise to trust it."""
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise InputError(f"{path}: not {kind}, in spite of its ending")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read, damaged or cut off ({describe_error(error)})")


def _matrix(path: Path, array: npt.NDArray[np.generic]) -> Table:
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{path}: expected a matrix [utterances, width], got shape {array.shape}")
    _check_numbers(path, "", array)
    return Table(path, array, None)


def _stack(path: Path, items: Iterable[tuple[str, object]]) -> Table:
    """A table of vectors [width]; or of matrices [utterances, width], one for each conversation."""
    rows = [(key, _float32(path, f", key {quoted(key)}", value)) for key, value in items]
    by_conversation = any(row.ndim == 2 and len(row) > 1 for _, row in rows)
    dimensions, expected = ((2,), "a matrix [utterances, width]") if by_conversation else ((1, 2), "a vector [width]")
    for key, row in rows:
        if row.ndim not in dimensions or row.size == 0:
            raise InputError(f"{path}, key {quoted(key)}: expected {expected}, got shape {row.shape}")
        if row.shape[-1] != (width := rows[0][1].shape[-1]):
            raise InputError(
                f"{path}, key {quoted(key)}: width {row.shape[-1]}, but key {quoted(rows[0][0])} has {width}"
            )
    features = np.concatenate([np.atleast_2d(row) for _, row in rows])
    lengths = {key: len(row) for key, row in rows} if by_conversation else {}
    if by_conversation:
        keys = [f"{key}[{number}]" for key, row in rows for number in range(len(row))]
    else:
        keys = [key for key, _ in rows]
    return Table(path, features, tuple(keys), tuple(f"key {quoted(key)}" for key in keys), lengths=lengths)


def _float32(path: Path, where: str, value: object) -> Matrix:
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # numbers as Python's objects
            array = np.asarray(array.tolist())
    except ValueError:
        raise InputError(f"{path}{where}: the rows differ in width") from None
    _check_numbers(path, where, array)
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such later
        return array.astype(np.float32)


def _check_numbers(path: Path, where: str, array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}{where}: expected numbers, found values of type {array.dtype}")
