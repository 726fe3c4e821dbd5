"""Numpy arrays, dtypes and scalars out of a pickle, rebuilt from checked values.

Numpy's own `dtype.__setstate__` believes what it is told: an object array whose flags were cleared reads raw bytes as
pointers. So a dtype is a stand-in here until an array needs it, and no array is larger than the bytes that came for it.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError

_MAX_DIMENSIONS = 32


class DType:
    """Stands for a numpy dtype while its state arrives: the byte order, and nothing else that could matter."""

    __slots__ = ("_dtype",)

    def __init__(self, code: object, *_flags: object) -> None:
        code = _text(code)
        if not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?|O4)", code):
            raise InputError(f"asks for a numpy dtype {code[:40]!r}; only numbers, strings and objects are read")
        self._dtype = np.dtype("O") if "O" in code else np.dtype(code)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5:
            raise InputError("damaged pickle: a numpy dtype with a malformed state")
        order = _text(state[1])
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise InputError("holds a numpy array of records; only arrays of numbers, strings and objects are read")
        self._dtype = self._dtype.newbyteorder(order)  # type: ignore[arg-type] # one of the four, as just checked

    @staticmethod
    def resolve(value: object) -> np.dtype[Any]:
        """The numpy dtype that a value out of the pickle stands for."""
        if not isinstance(value, DType):
            raise InputError("damaged pickle: a numpy array without a dtype")
        return value._dtype


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array out of a pickle; its content arrives as its state and is checked before numpy sees it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise InputError("damaged pickle: a numpy array with a malformed state")
        shape, declared, fortran, content = state[-4:]
        dtype, count = DType.resolve(declared), _count(shape)
        if dtype.hasobject:
            if not isinstance(content, list) or count != len(content):
                raise InputError(f"damaged pickle: a numpy array of shape {shape} whose content does not fit it")
        else:
            content = _content(content, shape, dtype)
        super().__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type] # stub wants numpy.bool


def _count(shape: object) -> int:
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MAX_DIMENSIONS
        or not all(isinstance(n, int) and n >= 0 for n in shape)
    ):
        raise InputError("damaged pickle: a numpy array with a malformed shape")
    return math.prod(shape)


def _content(content: object, shape: object, dtype: np.dtype[Any]) -> bytes:
    """The raw bytes of an array, if they are exactly as many as its shape needs: nothing larger than the file."""
    size = _count(shape) * dtype.itemsize
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(raw, bytes | bytearray) or not dtype.itemsize or len(raw) != size:
        raise InputError(f"damaged pickle: a numpy array of shape {shape} whose content does not fit it")
    return bytes(raw)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise InputError("damaged pickle: a numpy dtype that is not named by a string")
    return value


def reconstruct(*_subtype_shape_code: object) -> npt.NDArray[Any]:
    """Stands for `numpy.core.multiarray._reconstruct`: an array whose content is still to come."""
    return _Array((0,), np.int8)


def scalar(dtype: object, content: object) -> object:
    """Stands for `numpy.core.multiarray.scalar`: one number or string."""
    real = DType.resolve(dtype)
    if real.hasobject:
        raise InputError("damaged pickle: a numpy scalar that is an object")
    return np.frombuffer(_content(content, (), real), real)[0]


def frombuffer(buffer: object, dtype: object, shape: object, order: object = "C") -> npt.NDArray[Any]:
    """Stands for `numpy.core.numeric._frombuffer`, which protocol 5 uses: an array with its content."""
    array = _Array((0,), np.int8)
    array.__setstate__((shape, dtype, order == "F", buffer))
    return array


def ndarray(*_arguments: object) -> NoReturn:
    """Stands for `numpy.ndarray`, which pickles only name, as an argument of `reconstruct`."""
    raise InputError("calls numpy.ndarray, which is refused")
