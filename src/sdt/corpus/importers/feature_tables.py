"""One file of features: a row per utterance, either with a key or by its place in the file.

| file            | keyed                                                      | by place                              |
|-----------------|------------------------------------------------------------|---------------------------------------|
| `.csv`          | columns `conversation,utterance,...`, or one column of names | all columns are numbers             |
| `.npy`          |                                                            | a matrix [utterances, width]          |
| `.safetensors`  |                                                            | a matrix, or `features`, `present`    |
| `.npz`          | one vector [width] per key; `encoder`, a text, may name it | a single matrix                       |
| `.pkl` `.pickle`| a dictionary of vectors                                    |                                       |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sdt.corpus import unpickle
from sdt.corpus.importers.csv_lines import Line, is_number, number, read_csv
from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError

Matrix = npt.NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)
KEY_COLUMNS = ["conversation", "utterance"]
PICKLES = (".pkl", ".pickle")
SUFFIXES = (".csv", ".npy", ".safetensors", ".npz", *PICKLES)


@dataclass(frozen=True)
class Table:
    """The content of one file of features."""

    path: Path
    features: npt.NDArray[Any]
    """[rows, D], NaN where a cell is empty: float32 or, where it is mapped, whatever the file holds; see `rows`."""
    keys: tuple[str, ...] | None
    """The key of each row; None where the place of a row says whose it is."""
    places: tuple[str, ...] = ()
    """Where each row with a key stands in the file, for error messages: `line 7`, `key 'dia0_utt0.wav'`."""
    columns: tuple[str, ...] = ()
    """The names of the features, where the file has them."""
    encoder: str = "unknown"
    """The feature encoder that made them, where the file says it."""
    present: npt.NDArray[np.bool_] | None = None
    """[rows], where the file says which are there."""

    def rows(self, rows: slice | npt.NDArray[np.int32]) -> Matrix:
        """Some rows in float32; NaN where the file says that they are missing."""
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such later
            x: Matrix = self.features[rows].astype(np.float32, copy=self.present is not None)
        if self.present is not None:
            x[~self.present[rows]] = np.nan
        return x

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.features)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return int(self.features.shape[1])


def read_table(path: Path) -> Table:
    """Read one file of features.

    Raises:
        InputError: The file is damaged or of no known kind, holds something other than numbers, or its rows differ in
            width.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv(path)
    if suffix == ".npy":
        return _matrix(path, _numpy(path))
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix == ".npz":
        return _npz(path)
    if suffix in PICKLES:
        return keyed_table(path, unpickle.load(path))
    raise InputError(f"{path}: no table of features has the ending {suffix!r}; known are: {', '.join(SUFFIXES)}")


def keyed_table(path: Path, value: object) -> Table:
    """The table in an unpickled dictionary of vectors; the tuple (D, U) counts as the key `D_U`."""
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path}: expected a dictionary from utterance to vector, found {type(value).__name__}")
    named = (("_".join(map(str, key)) if isinstance(key, tuple) else str(key), row) for key, row in value.items())
    return _stack(path, named)


def align(
    table: Table, wanted: Sequence[Key], meaning: Callable[[str], Key | None]
) -> tuple[Matrix, npt.NDArray[np.bool_], list[str]]:
    """Bring the rows of a keyed table into the order of the utterances.

    Args:
        table: A table with keys.
        wanted: The key of each of N utterances.
        meaning: From the text of a key to the key of an utterance; None where it cannot be one.

    Returns:
        Features [N, D]; presence [N], false where the table has no row or one of NaN only; and the texts of the keys
        that are no utterance's.

    Raises:
        InputError: Two rows with different values have the same key.
    """
    assert table.keys is not None
    row_of: dict[Key, int] = {}
    unused: list[str] = []
    known = set(wanted)
    for row, text in enumerate(table.keys):
        key = meaning(text)
        if key is None or key not in known:
            unused.append(text)
        elif key not in row_of:
            row_of[key] = row
        elif not np.array_equal(table.features[row], table.features[row_of[key]], equal_nan=True):
            raise InputError(
                f"{table.path}, {table.places[row]}: utterance {text!r} stands already in "
                f"{table.places[row_of[key]]}, with other values"
            )
    features = np.zeros((len(wanted), table.width), dtype=np.float32)
    present = np.array([key in row_of for key in wanted], dtype=np.bool_)
    features[present] = table.features[[row_of[key] for key in wanted if key in row_of]]
    return features, present & ~np.isnan(features).all(axis=1), unused


def _csv(path: Path) -> Table:
    header, *lines = read_csv(path)
    names = [name.strip() for name in header.cells]
    if all(is_number(name) for name in names):
        header, lines, names = Line(header.number, []), [header, *lines], []
    if not lines:
        raise InputError(f"{path}: a header, but no rows")
    if names[:2] == KEY_COLUMNS:
        columns = [0, 1]
    else:
        columns = [column for column, cell in enumerate(lines[0].cells) if not is_number(cell)]
    if len(columns) > 1 and names[:2] != KEY_COLUMNS:
        found = ", ".join(repr(names[column] if names else lines[0].cells[column]) for column in columns)
        raise InputError(
            f"{path}, line {lines[0].number}: {len(columns)} columns are not numbers ({found}); a table of features "
            "has one column of keys, or 'conversation,utterance', or only numbers"
        )
    values = [column for column in range(len(lines[0].cells)) if column not in columns]
    if not values:
        raise InputError(f"{path}: no column of numbers")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such later
        features = np.array([_numbers(path, line, values) for line in lines], dtype=np.float64).astype(np.float32)
    keys = tuple("/".join(line.cells[column].strip() for column in columns) for line in lines) if columns else None
    places = tuple(f"line {line.number}" for line in lines)
    return Table(path, features, keys, places, tuple(names[column] for column in values) if names else ())


def _numbers(path: Path, line: Line, columns: list[int]) -> list[float]:
    try:
        return [number(line.cells[column]) for column in columns]
    except ValueError:
        column = next(column for column in columns if not is_number(line.cells[column]))
        raise InputError(
            f"{path}, line {line.number}, column {column + 1}: {line.cells[column]!r} is not a number"
        ) from None


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
            arrays = {key: archive[key] for key in archive.files}
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
            f"{path}: expected one matrix, or 'features' and 'present', found {', '.join(map(repr, sorted(tensors)))}"
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
    reason = " ".join(str(error).split())[:120]
    return InputError(f"{path}: cannot be read, damaged or cut off ({type(error).__name__}: {reason})")


def _matrix(path: Path, array: npt.NDArray[np.generic]) -> Table:
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{path}: expected a matrix [utterances, width], got shape {array.shape}")
    _check_numbers(path, "", array)
    return Table(path, array, None)


def _stack(path: Path, items: Iterable[tuple[str, object]]) -> Table:
    keys: list[str] = []
    rows: list[Matrix] = []
    for key, value in items:
        row = _float32(path, f", key {key!r}", value)
        if row.ndim == 2 and len(row) == 1:
            row = row[0]
        if row.ndim != 1 or row.size == 0:
            raise InputError(f"{path}, key {key!r}: expected a vector [width], got shape {row.shape}")
        if rows and row.shape != rows[0].shape:
            raise InputError(f"{path}, key {key!r}: width {row.size}, but key {keys[0]!r} has {rows[0].size}")
        keys.append(key)
        rows.append(row)
    return Table(path, np.stack(rows), tuple(keys), tuple(f"key {key!r}" for key in keys))


def _float32(path: Path, where: str, value: object) -> Matrix:
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{path}{where}: the rows differ in width") from None
    _check_numbers(path, where, array)
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such later
        return array.astype(np.float32)


def _check_numbers(path: Path, where: str, array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}{where}: expected numbers, found values of type {array.dtype}")
