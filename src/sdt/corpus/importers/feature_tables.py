"""Readers of feature files: one row per utterance, with keys or in the order of the utterances.

| file                       | with keys                                         | in order                            |
|----------------------------|---------------------------------------------------|-------------------------------------|
| `.csv` `.tsv` `.txt`       | columns `conversation`, `utterance`, or a column  | all columns are numbers             |
|                            | of keys                                           |                                     |
| `.parquet` `.pq`           | the same; or a column of vectors                  | the same                            |
| `.npy`                     | a dictionary, as in a pickle                      | a matrix [utterances, width], or an |
|                            |                                                   | array of vectors                    |
| `.safetensors`             |                                                   | a matrix, or `features`, `present`  |
| `.npz`                     | as in a pickle; `encoder` can name the encoder    | a single matrix                     |
| `.pkl` `.pickle` `.joblib` | a dictionary of vectors, of a matrix per          | a matrix, or a list of vectors      |
| `.pt` `.pth`               | conversation, or of dictionaries of vectors       |                                     |
| a folder                   | a `.npy` file per utterance, named as its clip    |                                     |
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
from sdt.formats.parsing import csv_lines, parquet
from sdt.formats.parsing.pickles import reader as unpickle
from sdt.formats.parsing.pickles.conversion import joblib_to_pickle, torch_to_pickle

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
    """Read a feature file, or a folder with one file per utterance.

    Raises:
        InputError: The file is damaged, has an unknown format, contains values that are not numbers, or has rows of
            different widths.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(f"{path}: file not found")
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
        return _from_value(path, unpickle.load(path))
    if suffix == JOBLIB_SUFFIX:
        return _from_value(path, unpickle.loads(path, joblib_to_pickle(path)))
    if suffix in TORCH_SUFFIXES:
        return _from_value(path, unpickle.loads(path, torch_to_pickle(path)))
    raise InputError(f"{path}: unknown suffix {quoted(suffix)} of a feature file; known are: {', '.join(SUFFIXES)}")


def _from_value(path: Path, value: object) -> Table:
    """Convert an unpickled dictionary of vectors, matrix or list of vectors to a table.

    The tuple (D, U) becomes the key `D_U`, and the keys of nested dictionaries become `D/U`.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        value = value.item() if value.ndim == 0 else list(value)
    if isinstance(value, np.ndarray):
        return _matrix(path, np.asarray(value))
    if isinstance(value, list | tuple) and value:
        table = _stack(path, ((f"row {row}", vector) for row, vector in enumerate(value, start=1)), listed=True)
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
    return _matrix(path, _numpy(path)) if objects is None else _from_value(path, unpickle.loads(path, objects))


def _pickled_objects(path: Path) -> bytes | None:
    """The pickle in a `.npy` file of Python objects; None for a file of numbers."""
    try:
        with path.open("rb") as file:
            read = np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(file) != (1, 0):
                read = np.lib.format.read_array_header_2_0
            _, _, dtype = read(file)
            return file.read() if dtype == np.dtype(object) else None
    except Exception:  # numpy raises many kinds of errors for damaged files; _numpy reports them
        return None


def _folder(path: Path) -> Table:
    """Read a folder with one `.npy` file per utterance, also in subfolders, named as its clip."""
    files = feature_files(path)
    if not files:
        raise InputError(f"{path}: the folder has no .npy files; a folder of features has one for each utterance")
    return _stack(path, _vectors(path, files))


def feature_files(folder: Path) -> list[Path]:
    """The `.npy` files of a folder and its subfolders, in order."""
    found = sorted([*folder.glob("*.npy"), *folder.glob("*/*.npy")])
    return [file for file in found if not file.name.startswith(".")]


def _vectors(folder: Path, files: Iterable[Path]) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for file in files:
        array = _numpy(file)
        if array.ndim == 2 and len(array) > 1:
            raise InputError(
                f"{file}: {len(array)} rows; expected one vector for the utterance (average features over time)"
            )
        yield file.relative_to(folder).with_suffix("").as_posix(), array


def _numpy(path: Path) -> npt.NDArray[np.generic]:
    """The array of a `.npy` file."""
    _check_magic(path, b"\x93NUMPY", "a .npy file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Memory-mapped, so that a header with a false size does not allocate memory.
            array: object = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises many kinds of errors for damaged files
        raise _damaged(path, error) from None
    assert isinstance(array, np.ndarray)
    return array


def _npz(path: Path) -> Table:
    _check_magic(path, b"PK", "a .npz archive")
    try:
        # Opened here, because numpy does not close a file that is not an archive.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive = np.load(file, allow_pickle=False)
            size, unpacked = path.stat().st_size, sum(entry.file_size for entry in archive.zip.infolist())
            if unpacked > max_expanded_bytes(size):  # numpy reads at most the stated size of an entry
                raise InputError(f"{path}: expands to {unpacked:,} bytes, too many for a file of {size:,}")
            arrays = {key: archive[key] for key in archive.files}
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds of errors for damaged files
        raise _damaged(path, error) from None
    # `sdt features extract` writes the name of the encoder.
    encoder = arrays.pop("encoder") if "encoder" in arrays and arrays["encoder"].dtype.kind == "U" else "unknown"
    if not arrays:
        raise InputError(f"{path}: the archive is empty")
    if len(arrays) == 1 and next(iter(arrays.values())).ndim == 2:
        return _matrix(path, next(iter(arrays.values())))
    return replace(_stack(path, arrays.items()), encoder=str(encoder))


def _safetensors(path: Path) -> Table:
    """Read a matrix, or a matrix with a mask of the rows that are present, as in a corpus folder."""
    tensors = map_tensors(path)
    present = tensors.pop("present", None) if len(tensors) == 2 else None
    if len(tensors) != 1 or (present is not None and "features" not in tensors):
        raise InputError(
            f"{path}: expected one matrix, or 'features' and 'present'; found {join_names(sorted(tensors))}"
        )
    table = _matrix(path, next(iter(tensors.values())))
    if present is not None and (present.dtype != np.bool_ or present.shape != (table.size,)):
        raise InputError(
            f"{path}: 'present' has type {present.dtype} and shape {present.shape}; expected bool, ({table.size},)"
        )
    return replace(table, present=present)


def _check_magic(path: Path, magic: bytes, kind: str) -> None:
    """Refuse a file of another format, for which numpy would suggest to allow pickles."""
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise InputError(f"{path}: not {kind}, despite its suffix")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read, damaged or truncated ({describe_error(error)})")


def _matrix(path: Path, array: npt.NDArray[np.generic]) -> Table:
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{path}: expected a matrix [utterances, width], got shape {array.shape}")
    _check_numbers(path, "", array)
    return Table(path, array, None)


def _stack(path: Path, items: Iterable[tuple[str, object]], *, listed: bool = False) -> Table:
    """Stack vectors [width], or matrices [utterances, width] of one conversation each.

    Args:
        path: The file, for error messages.
        items: Keys and values.
        listed: Whether the keys are not in the file, but describe the items of a list for error messages.
    """

    def location(key: str) -> str:
        return key if listed else f"key {quoted(key)}"

    rows = [(key, _float32(path, f", {location(key)}", value)) for key, value in items]
    by_conversation = any(row.ndim == 2 and len(row) > 1 for _, row in rows)
    dimensions, expected = ((2,), "a matrix [utterances, width]") if by_conversation else ((1, 2), "a vector [width]")
    for key, row in rows:
        if row.ndim not in dimensions or row.size == 0:
            raise InputError(f"{path}, {location(key)}: expected {expected}, got shape {row.shape}")
        if row.shape[-1] != (width := rows[0][1].shape[-1]):
            raise InputError(f"{path}, {location(key)}: width {row.shape[-1]}, but {location(rows[0][0])} has {width}")
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
        if array.dtype.kind == "O":  # numbers as Python objects
            array = np.asarray(array.tolist())
    except ValueError:
        raise InputError(f"{path}{where}: the rows differ in width") from None
    _check_numbers(path, where, array)
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are refused later
        return array.astype(np.float32)


def _check_numbers(path: Path, where: str, array: npt.NDArray[Any]) -> None:
    if array.dtype.kind == "O":
        for index, value in np.ndenumerate(array):
            if not isinstance(value, int | float):
                column = f", value {'/'.join(str(one + 1) for one in index)}" if index else ""
                hint = "; write NaN for missing features" if value is None else ""
                raise InputError(f"{path}{where}{column}: expected a number, found {quoted(value)}{hint}")
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}{where}: expected numbers, found values of type {array.dtype}")
