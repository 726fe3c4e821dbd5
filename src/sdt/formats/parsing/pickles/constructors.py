"""The allowlist of constructors that untrusted pickles can call: plain containers, numbers and NumPy arrays.

None of them is the original function or class: each checks its arguments and returns an object that is not larger than
these. NumPy's `dtype.__setstate__` and `ndarray.__setstate__` do not check the state: an object array with cleared
flags reads raw bytes as pointers. Arrays are therefore built from a checked dtype, a checked shape and exactly the
bytes that they need.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError, quoted

_Array = npt.NDArray[Any]
_LATIN1 = ("latin1", "latin-1", "iso-8859-1")
_MOST_DIMENSIONS = 32
_FLAT = (str, bytes, bool, int, float, np.generic, type(None))


class Constructor:
    """A constructor on the allowlist; the interpreter can only call it."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., object]) -> None:
        self.name = name
        self.call = call


def find_constructor(module: str, name: str) -> Constructor:
    """Look up a constructor.

    Args:
        module: The module that the pickle names.
        name: The name in this module.

    Raises:
        InputError: The constructor is not on the allowlist.
    """
    full = f"{module}.{name}"
    if full not in _NAMES:
        hint = "; save tensors as numpy arrays (tensor.numpy())" if module.startswith("torch") else ""
        raise InputError(
            f"calls {quoted(full)}, which is not on the list of allowed constructors (containers and numpy "
            f"arrays){hint}; nothing was run"
        )
    return _NAMES[full]


def check_keys(keys: Iterable[object]) -> None:
    """Check dictionary keys and set members: hashing them must be fast, and hash collisions must be unlikely.

    Raises:
        InputError: A key is neither a string, bytes, None or a number of at most 64 bits, nor a tuple of at most four
            strings or numbers of at most 32 bits.
    """
    for key in keys:
        if type(key) is str:
            continue
        members = key if isinstance(key, tuple) else (key,)
        bits = 32 if isinstance(key, tuple) else 64
        for member in members:
            if not isinstance(member, _FLAT) or (isinstance(member, int) and member.bit_length() > bits):
                raise InputError(f"damaged pickle: {quoted(key)} is a key of a dictionary or member of a set")
        if len(members) > 4:
            raise InputError(f"damaged pickle: a tuple of {len(members)} is a key of a dictionary or member of a set")


def restore_dtype(dtype: np.dtype[Any], state: object) -> np.dtype[Any]:
    """A dtype with the byte order of its pickled state; any other state is refused."""
    if not isinstance(state, tuple) or len(state) < 5:
        raise InputError("damaged pickle: a numpy dtype with a malformed state")
    order = _text(state[1])
    if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
        raise InputError("contains a numpy array of records; only arrays of numbers, strings and objects are supported")
    return dtype.newbyteorder(order)  # type: ignore[arg-type] # checked above


def restore_array(state: object) -> _Array:
    """An array from its pickled state."""
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise InputError("damaged pickle: a numpy array with a malformed state")
    shape, dtype, fortran, content = state[-4:]
    return _array(content, dtype, shape, "F" if fortran else "C")


def array_weight(array: _Array) -> int:
    """Bytes of memory of an array and of the Python objects of its elements, or of its empty rows."""
    return int(array.nbytes + 8 * math.prod(max(n, 1) for n in array.shape))


def _array(content: object, dtype: object, shape: object, order: object = "C") -> _Array:
    if not isinstance(dtype, np.dtype):
        raise InputError("damaged pickle: a numpy array without a dtype")
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MOST_DIMENSIONS
        or not all(isinstance(n, int) and 0 <= n < 2**31 for n in shape)
    ):
        raise InputError("damaged pickle: a numpy array with a malformed shape")
    count = math.prod(shape)
    if isinstance(content, str):  # bytes in a pickle of Python 2
        content = content.encode("latin1")
    fits = len(content) == count * dtype.itemsize if isinstance(content, bytes | bytearray) else False
    if dtype.hasobject:
        fits = isinstance(content, list) and len(content) == count
    if not fits or not dtype.itemsize:
        raise InputError(f"damaged pickle: a numpy array of shape {quoted(shape)} whose content does not fit it")
    if count == 0:
        return np.empty(shape, dtype)
    if isinstance(content, list):
        flat = np.empty(count, dtype)
        for index, item in enumerate(content):  # `flat[:] = content` would convert nested sequences
            flat[index] = item
    else:
        assert isinstance(content, bytes | bytearray)  # checked by `fits`
        flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise InputError("damaged pickle: the name of a numpy dtype is not a string")
    return value


def _dtype(code: object, *_flags: object) -> np.dtype[Any]:
    code = _text(code)
    if not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?|O4)", code):
        raise InputError(f"uses the numpy dtype {quoted(code)}; only numbers, strings and objects are supported")
    return np.dtype("O") if "O" in code else np.dtype(code)


def _reconstruct(*_subtype_shape_code: object) -> _Array:
    return np.empty(0, np.int8)  # BUILD replaces it


def _scalar(dtype: object, content: object) -> object:
    array = _array(content, dtype, ())
    if array.dtype.hasobject:
        raise InputError("damaged pickle: a numpy scalar is an object")
    return array[()]


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in _LATIN1:
        raise InputError("calls _codecs.encode with arguments other than text and latin1, which is not allowed")
    return text.encode("latin1")


def _bytes(*arguments: object) -> bytes:
    # bytes(n) would allocate n bytes. Python pickles the empty string as bytes(), and others with _codecs.encode.
    if arguments and not isinstance(arguments[0], bytes):
        raise InputError("calls bytes with an argument other than bytes, which is not allowed")
    return arguments[0] if arguments else b""  # type: ignore[return-value] # checked above


def _bytearray(*arguments: object) -> bytearray:
    return bytearray(_encode(*arguments) if arguments and isinstance(arguments[0], str) else _bytes(*arguments))


def _set(members: object = ()) -> set[object]:
    if not isinstance(members, list | tuple):
        raise InputError("damaged pickle: a set from an object that is not a list")
    check_keys(members)
    return set(members)


def _frozenset(members: object = ()) -> frozenset[object]:
    return frozenset(_set(members))


def _ordered(pairs: object = ()) -> dict[object, object]:
    if not isinstance(pairs, list | tuple) or not all(isinstance(pair, list | tuple) for pair in pairs):
        raise InputError("damaged pickle: a dictionary from objects that are not pairs")
    check_keys(key for key, _ in pairs)
    return dict(pairs)


def _default(*_factory: object) -> dict[object, object]:
    return {}


def _range(*arguments: object) -> range:
    made: range = range(*arguments)  # type: ignore[call-overload] # a wrong type raises TypeError
    return made


def _complex(real: object, imaginary: object = 0.0) -> complex:
    if not isinstance(real, int | float) or not isinstance(imaginary, int | float):
        raise InputError("damaged pickle: a complex number from objects that are not numbers")
    return complex(real, imaginary)


def _argument_only(*_arguments: object) -> NoReturn:
    """Stands for names that pickles use as arguments only: the type of an array, the factory of a defaultdict."""
    raise InputError("damaged pickle: it calls a name that is only valid as an argument")


_BUILTINS: dict[str, Callable[..., object]] = {
    **dict.fromkeys(("list", "tuple", "dict", "int", "float", "str"), _argument_only),
    **{"set": _set, "frozenset": _frozenset, "complex": _complex, "bytes": _bytes, "bytearray": _bytearray},
    **{"range": _range, "xrange": _range},
}
_NUMPY: dict[str, Callable[..., object]] = {
    **{"multiarray._reconstruct": _reconstruct, "multiarray.scalar": _scalar, "numeric._frombuffer": _array}
}
_CALLS: dict[str, Callable[..., object]] = {
    **{f"{module}.{name}": call for module in ("builtins", "__builtin__") for name, call in _BUILTINS.items()},
    **{f"{module}.{name}": call for module in ("numpy.core", "numpy._core") for name, call in _NUMPY.items()},
    **{"numpy.ndarray": _argument_only, "numpy.dtype": _dtype},
    **{"collections.OrderedDict": _ordered, "collections.defaultdict": _default, "_codecs.encode": _encode},
}
_NAMES = {name: Constructor(name, call) for name, call in _CALLS.items()}
"""Every allowed name, in its Python 2 and Python 3 spelling."""
