"""Conversion of the values in published feature files: lists or arrays, Python or NumPy numbers, text or bytes.

The `is_...` functions check only as much as layouts differ in. The other functions convert a value and raise an error
that names the utterance.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError, quoted
from sdt.text import repair_utf8, repair_windows1252

Matrix = npt.NDArray[np.float32]
_Sequence: TypeAlias = list[Any] | tuple[Any, ...] | npt.NDArray[Any]
_SEQUENCES = (list, tuple, np.ndarray)
_LARGEST = 2**63
"""Larger integers are refused before they reach an error message: Python does not print thousands of digits."""


def describe(value: object) -> str:
    """Describe a value for an error message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {list(value.shape)}"
    if isinstance(value, dict):
        first = next(iter(value.values()), None)
        return f"a dictionary of {len(value)}" + (f" whose first value is {_kind(first)}" if value else "")
    return f"{_kind(value)} of {len(value)}" if isinstance(value, list | tuple | set | frozenset) else _kind(value)


def is_strings(value: object) -> bool:
    """Whether a value is a sequence of strings."""
    return _is_sequence(value) and isinstance(value[0], str | bytes)


def is_numbers(value: object) -> bool:
    """Whether a value is a sequence of numbers."""
    return _is_sequence(value) and _is_number(value[0])


def is_features(value: object) -> bool:
    """Whether a value is a sequence of vectors."""
    if not _is_sequence(value) or not _is_sequence(value[0]):
        return False
    first = value[0]
    return _is_number(first.reshape(-1)[0] if isinstance(first, np.ndarray) else first[0])


def is_one_hots(value: object) -> bool:
    """Whether a value is a sequence of one-hot vectors."""
    if not _is_sequence(value):
        return False
    try:
        return _is_one_hot(_vector(value[0], 0))
    except InputError:
        return False


def is_split(value: object) -> bool:
    """Whether a value is a collection of conversation ids."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, list | tuple | set | frozenset) and all(_is_id(item) for item in value)


def conversation_id(key: object) -> str:
    """A conversation id as a string; 0 and '0' are the same id.

    Raises:
        InputError: The id is neither a string nor an integer.
    """
    if isinstance(key, bytes):
        return key.decode("latin1").strip()
    if not _is_id(key):
        raise InputError(f"conversation ids must be strings or integers, not {_kind(key)}")
    if not isinstance(key, str) and abs(int(key)) > _LARGEST:  # type: ignore[call-overload] # an integer
        raise InputError("a conversation id is too large")
    return str(key).strip()


def strings(value: object) -> list[str]:
    """The texts of a conversation; wrongly decoded text is repaired."""
    return [_string(item, position) for position, item in enumerate(_sequence(value))]


def integers(value: object) -> list[int]:
    """The label numbers of a conversation."""
    return [_integer(item, position) for position, item in enumerate(_sequence(value))]


def one_hots(value: object) -> tuple[list[int], int]:
    """The speaker numbers of a conversation, and the width of their one-hot vectors."""
    matrix = features(value)  # [n, W]
    for position, row in enumerate(matrix):
        if not _is_one_hot(row):
            raise InputError(f"utterance {position} (from 0): the speaker {row[:20].tolist()} is not a one-hot vector")
    return [int(row.argmax()) for row in matrix], matrix.shape[1]


def features(value: object) -> Matrix:
    """The features of a conversation, [n, D].

    Raises:
        InputError: A row is not numeric, or its width differs from the first row.
    """
    # Values too large for float32 become infinite; the corpus reports all values that are not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "fiub":
            return np.asarray(value).astype(np.float32)
        rows = [_vector(row, position) for position, row in enumerate(_sequence(value))]
        for position, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise InputError(
                    f"utterance {position} (from 0) has {len(row)} features, but utterance 0 has {len(rows[0])}"
                )
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, 0), np.float32)


def _vector(row: object, position: int) -> npt.NDArray[Any]:
    if isinstance(row, np.ndarray) and row.dtype.kind in "fiub" and row.size == max(row.shape, default=0):
        return np.asarray(row).reshape(-1)
    if not isinstance(row, _SEQUENCES) or (isinstance(row, np.ndarray) and row.ndim != 1):
        raise InputError(f"utterance {position} (from 0) must be a vector of features, but is {describe(row)}")
    for item in row:
        if not _is_number(item):
            raise InputError(f"utterance {position} (from 0) has {_kind(item)} among its features")
    try:
        return np.array(row, dtype=np.float64)
    except OverflowError:
        raise InputError(f"utterance {position} (from 0) has an integer that is too large for a feature") from None


def _string(value: object, position: int) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if not isinstance(value, str):
        raise InputError(f"utterance {position} (from 0) must be text, but is {_kind(value)}")
    return repair_windows1252(repair_utf8(str(value)))


def _integer(value: object, position: int) -> int:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if not _is_number(value):
        raise InputError(f"utterance {position} (from 0): the label must be an integer, but is {_kind(value)}")
    if isinstance(value, float | np.floating) and not float(value).is_integer():
        raise InputError(f"utterance {position} (from 0): label {value} is not an integer")
    number: int = int(value)  # type: ignore[call-overload] # checked above
    if abs(number) > _LARGEST:
        raise InputError(f"utterance {position} (from 0): the label is too large")
    return number


def _is_one_hot(row: npt.NDArray[Any]) -> bool:
    return int(np.count_nonzero(row)) == 1 and int(np.count_nonzero(row == 1)) == 1


def _sequence(value: object) -> _Sequence:
    if not isinstance(value, _SEQUENCES) or (isinstance(value, np.ndarray) and value.ndim == 0):
        raise InputError(f"must be a list with one item per utterance, but is {describe(value)}")
    return value


def _is_sequence(value: object) -> TypeGuard[_Sequence]:
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and value.size > 0
    return isinstance(value, list | tuple) and len(value) > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating | np.bool_)


def _is_id(value: object) -> bool:
    return isinstance(value, str | bytes | int | np.integer) and not isinstance(value, bool)


def _kind(value: object) -> str:
    names = {"NoneType": "nothing", "str": "text", "dict": "a dictionary", "list": "a list", "tuple": "a tuple"}
    return names.get(type(value).__name__, f"a value of type {quoted(type(value).__name__.strip('_').lower())}")
