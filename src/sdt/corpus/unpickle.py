"""Reading strangers' pickles: an unpickler that builds plain containers and numpy arrays and refuses the rest.

A pickle is a program: it names functions and calls them. Here a name leads only to a `_Constructor` of this module,
whose arguments are checked; no class or function of Python or numpy itself is ever handed to the pickle, so that it
can neither call nor change one.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sdt.corpus import unpickle_numpy
from sdt.corpus.unpickle_scan import scan
from sdt.errors import InputError

_LATIN1 = ("latin1", "latin-1", "iso-8859-1")
_NOT_PICKLES = {
    b"PK\x03\x04": "a zip archive (torch.save and numpy.savez make such); unpack it, or save it again with pickle.dump",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\x93NUMPY": "a .npy file, not a pickle",
    b"<!": "a web page, not a pickle; download the file again",
    b"<h": "a web page, not a pickle; download the file again",
    b"version https://git-lfs": "a git-lfs pointer, not the file itself; fetch it with: git lfs pull",
}


def load(path: Path) -> object:
    """Read a pickle of plain containers, strings, numbers and numpy arrays.

    A file made to do harm cannot run code, but it can still crash Python: hashing tuples nested a hundred thousand deep
    exhausts the stack of the interpreter itself.

    Args:
        path: The file, of any pickle protocol, written by Python 2 or 3 with any version of numpy. Byte strings of
            Python 2 become text, read as Latin-1.

    Returns:
        What was pickled. `OrderedDict` and `defaultdict` come back as `dict`; arrays as a subclass of `numpy.ndarray`
        (`numpy.asarray` gives the base class).

    Raises:
        InputError: The file cannot be read, is truncated or damaged, or names a constructor that is not on the list of
            harmless ones.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    for magic, what in _NOT_PICKLES.items():
        if data.startswith(magic):
            raise InputError(f"{path}: this is {what}")
    return loads(path, data)


def loads(path: Path, data: bytes, *, encoding: str = "latin1") -> object:
    """The same of a pickle in memory, which is a part of a file or was made of it.

    Args:
        path: The file, for messages.
        data: The pickle.
        encoding: How the byte strings of Python 2 become text.
    """
    try:
        scan(data)
        return _Unpickler(data, encoding).load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise InputError(f"{path}: damaged pickle: it asks for more memory than there is") from None
    except Exception as error:  # damaged opcodes raise anything: the pickle module promises no type
        raise InputError(f"{path}: damaged pickle ({type(error).__name__}: {_one_line(error)})") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


class _Constructor:
    """What a name in a pickle leads to. It can be called, and nothing else: no attribute of it can be set."""

    __slots__ = ("_call", "_name")

    def __init__(self, name: str, call: Callable[..., object]) -> None:
        self._name = name
        self._call = call

    def __call__(self, *arguments: object) -> object:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise InputError(f"asks to change {self._name}, which is refused")


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in _LATIN1:
        raise InputError("calls _codecs.encode with something else than text and latin1, which is refused")
    return text.encode("latin1")


def _bytes(*arguments: object) -> bytes:
    # bytes(n) would allocate n bytes; Python writes bytes() for the empty string only, and else _codecs.encode.
    if arguments and not isinstance(arguments[0], bytes):
        raise InputError("calls bytes with something else than bytes, which is refused")
    return arguments[0] if arguments else b""  # type: ignore[return-value] # checked above


def _bytearray(*arguments: object) -> bytearray:
    if not arguments:
        return bytearray()
    return bytearray(_encode(*arguments) if isinstance(arguments[0], str) else _bytes(arguments[0]))


def _container(build: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object) -> object:
        if len(arguments) > 1 or not all(isinstance(a, list | tuple | set | frozenset | dict) for a in arguments):
            raise InputError("damaged pickle: a container made of something else than a container")
        return build(*arguments)

    return call


def _defaultdict(*arguments: object) -> object:
    return _container(dict)(*arguments[1:])


def _number(kind: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object) -> object:
        if not all(isinstance(a, int | float | bool) for a in arguments):
            raise InputError("damaged pickle: a number made of something else than numbers")
        return kind(*arguments)

    return call


def _range(*arguments: object) -> list[int]:
    numbers = range(*arguments)  # type: ignore[call-overload] # a wrong type raises TypeError, as it should
    if len(numbers) > 1_000_000:
        raise InputError(f"damaged pickle: a range of {len(numbers)} numbers")
    return list(numbers)


_BUILTINS: dict[str, Callable[..., object]] = {
    "set": _container(set),
    "frozenset": _container(frozenset),
    "list": _container(list),
    "tuple": _container(tuple),
    "dict": _container(dict),
    "int": _number(int),
    "float": _number(float),
    "complex": _number(complex),
    "bytes": _bytes,
    "bytearray": _bytearray,
    "range": _range,
    "xrange": _range,
}
_NUMPY: dict[str, Callable[..., object]] = {
    "multiarray._reconstruct": unpickle_numpy.reconstruct,
    "multiarray.scalar": unpickle_numpy.scalar,
    "numeric._frombuffer": unpickle_numpy.frombuffer,
}
_ADMITTED: dict[str, _Constructor] = {
    name: _Constructor(name, call)
    for name, call in {
        **{f"{module}.{name}": call for module in ("builtins", "__builtin__") for name, call in _BUILTINS.items()},
        **{f"{module}.{name}": call for module in ("numpy.core", "numpy._core") for name, call in _NUMPY.items()},
        "numpy.ndarray": unpickle_numpy.ndarray,
        "numpy.dtype": unpickle_numpy.DType,
        "collections.OrderedDict": _container(dict),
        "collections.defaultdict": _defaultdict,
        "_codecs.encode": _encode,
    }.items()
}
"""Every name that a pickle may use, under its old and its new spelling."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, encoding: str) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)

    def find_class(self, module_name: str, global_name: str, /) -> _Constructor:
        name = f"{module_name}.{global_name}"
        if name not in _ADMITTED:
            hint = "; save tensors as numpy arrays (tensor.numpy())" if module_name.startswith("torch") else ""
            raise InputError(
                f"names the constructor {name[:100]!r}, which is not on the list of harmless ones "
                f"(containers and numpy arrays){hint}; nothing was run"
            )
        return _ADMITTED[name]
