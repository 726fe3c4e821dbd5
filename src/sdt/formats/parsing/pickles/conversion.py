"""Conversion of files of joblib and torch to plain pickles, which `reader` then reads.

Both formats are pickles with placeholders for arrays: joblib writes the bytes of an array into the pickle, after an
object that describes it; torch writes them into files of a ZIP archive, which the pickle names. The conversion walks
over the opcodes without calling or building anything, and replaces each placeholder by the opcodes of a NumPy array.
All other opcodes stay as they are, and `reader` checks them.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
import pickle
import pickletools
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError, describe_error, quoted
from sdt.files import max_expanded_bytes
from sdt.formats.parsing.pickles.opcodes import errors_in

_WRAPPER = "joblib.numpy_pickle NumpyArrayWrapper"
_REBUILD = "torch._utils _rebuild_tensor_v2"
_DTYPES = {
    **{"Float": "<f4", "Double": "<f8", "Half": "<f2", "BFloat16": "<u2", "Long": "<i8", "Int": "<i4"},
    **{"Short": "<i2", "Char": "<i1", "Byte": "<u1", "Bool": "|b1"},
}
"""The dtype of each kind of torch storage; bfloat16 is the upper half of a float32."""
_MARK, _OPAQUE = object(), object()
_PUTS, _GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
_FILLS = {"APPEND": 1, "SETITEM": 2, "APPENDS": None, "SETITEMS": None, "ADDITEMS": None}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "TUPLE": None}


def joblib_to_pickle(path: Path) -> bytes:
    """Convert a file of `joblib.dump`, compressed or not, to a plain pickle.

    Raises:
        InputError: The file cannot be read, is damaged, expands too much, or contains arrays of objects.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    data = _decompressed(path, data)
    if b"NumpyArrayWrapper" not in data:
        return data
    with errors_in(path):
        return _Joblib(data, len(data)).run()


def torch_to_pickle(path: Path) -> bytes:
    """Convert a file of `torch.save` to a plain pickle with an array for each tensor.

    Raises:
        InputError: The file cannot be read, is damaged, is older than torch 1.6, or has tensors that are larger than
            their storage.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries, size = archive.infolist(), path.stat().st_size
            if sum(max(entry.file_size, entry.compress_size) for entry in entries) > size:
                raise InputError(f"{path}: expands to more than its {size:,} bytes; torch.save does not compress")
            root = next((e.filename.removesuffix("data.pkl") for e in entries if e.filename.endswith("data.pkl")), None)
            if root is None:
                raise InputError(f"{path}: not a file of torch.save: it has no data.pkl")
            with errors_in(path):
                return _Torch(archive, root, size).run()
    except zipfile.BadZipFile:
        reason = "not a file of torch.save, or written before torch 1.6; load it with torch and save it again"
        raise InputError(f"{path}: {reason}") from None
    except InputError:
        raise
    except Exception as error:  # zipfile raises many kinds of errors for damaged files
        raise InputError(f"{path}: cannot be read, damaged or truncated ({quoted(str(error))})") from None


def _decompressed(path: Path, data: bytes) -> bytes:
    most = max_expanded_bytes(len(data))
    if data[:1] == b"x" or data[:2] == b"\x1f\x8b":
        unpacker: Any = zlib.decompressobj(wbits=47)  # zlib or gzip
    elif data[:3] == b"BZh":
        unpacker = bz2.BZ2Decompressor()
    elif data[:6] == b"\xfd7zXZ\0" or data[:3] == b"\x5d\0\0":
        unpacker = lzma.LZMADecompressor(memlimit=2**28)
    else:
        return data
    try:
        unpacked: bytes = unpacker.decompress(data, most + 1)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked, damaged ({describe_error(error)})") from None
    if len(unpacked) > most:
        raise InputError(f"{path}: expands to more than {most:,} bytes, the limit for a file of {len(data):,} bytes")
    if not unpacker.eof:
        raise InputError(f"{path}: truncated; fetch it again")
    return unpacked


def _text(*parts: object) -> str:
    """Strings, joined by spaces."""
    if not all(isinstance(part, str) for part in parts):
        raise InputError("damaged pickle: a name is not a string")
    return " ".join(map(str, parts))


class _Converter(ABC):
    """Walks over a pickle. Its stack has numbers, strings, tuples of them, placeholders of arrays, or `_OPAQUE`."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.left = max_expanded_bytes(size)
        """The remaining budget of bytes for arrays."""
        self.file = io.BytesIO(data)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> bytes:
        """The plain pickle."""
        parts: list[bytes] = []
        for opcode, argument, place in pickletools.genops(self.file):
            raw = self.data[place : self.file.tell()]
            if opcode.name != "FRAME":
                parts.append(self.step(opcode, argument, raw))
        return b"".join(parts)

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any, raw: bytes) -> bytes:  # noqa: ANN401 - of any opcode
        """Apply an opcode to the stack, and return the opcodes that replace it in the plain pickle."""
        stack, name = self.stack, opcode.name
        if name == "MARK":
            stack.append(_MARK)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            full = argument if name == "GLOBAL" else _text(*self.pop(2))
            stack.append(("name", full))
            if self.replaces(full):
                return b"N" if name == "GLOBAL" else b"00N"
        elif name in _TUPLES:
            stack.append(tuple(self.pop(_TUPLES[name])))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in _FILLS:
            items = self.pop(_FILLS[name])
            if isinstance(stack[-1], dict):
                stack[-1].update((k, v) for k, v in zip(items[::2], items[1::2], strict=True) if isinstance(k, str))
        elif name in _PUTS or name == "MEMOIZE":
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[argument])
        elif name == "DUP":
            stack.append(stack[-1])
        elif name in ("REDUCE", "NEWOBJ", "BUILD"):
            target, value = self.pop(2)
            result, instead = self.call(name, target, value)
            stack.append(result)
            return raw if instead is None else instead
        elif name in ("BINPERSID", "PERSID"):
            stack.append(self.persistent(stack.pop()))
            return b"0N"
        elif not opcode.stack_before and opcode.stack_after and opcode.arg is not None:
            stack.append(argument)
        else:
            before = opcode.stack_before
            self.pop(None if pickletools.markobject in before else len(before))
            stack.extend([_OPAQUE] * len(opcode.stack_after))
        return raw

    def pop(self, count: int | None) -> list[Any]:
        """Pop `count` values off the stack; None pops all values since the mark, and the mark."""
        if count is None:
            items = []
            while (item := self.stack.pop()) is not _MARK:
                items.append(item)
            return items[::-1]
        return [self.stack.pop() for _ in range(count)][::-1]

    @abstractmethod
    def replaces(self, name: str) -> bool:
        """Whether this name is removed from the plain pickle."""

    @abstractmethod
    def call(self, opcode: str, target: Any, value: Any) -> tuple[Any, bytes | None]:  # noqa: ANN401
        """The result of REDUCE, NEWOBJ or BUILD on a target and a value, and the opcodes that replace it, if any."""

    @abstractmethod
    def persistent(self, value: object) -> object:
        """The object that a persistent id refers to."""

    def array(self, array: npt.NDArray[Any]) -> bytes:
        """The opcodes that push an array."""
        self.left -= array.nbytes
        if self.left < 0:
            raise InputError("its arrays are far larger than the file")
        content = np.ascontiguousarray(array).tobytes()
        order, kind = array.dtype.str[:1].encode(), array.dtype.str[1:].encode()
        return b"".join(
            (
                b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR(K\x01(",
                *(pickle.LONG1 + b"\x08" + n.to_bytes(8, "little", signed=True) for n in array.shape),
                b"tcnumpy\ndtype\n(" + pickle.SHORT_BINUNICODE + bytes([len(kind)]) + kind + b"\x89\x88tR",
                b"(K\x03" + pickle.SHORT_BINUNICODE + b"\x01" + order + b"NNN",
                b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
                b"\x89" + pickle.BINBYTES8 + len(content).to_bytes(8, "little") + content + b"tb",
            )
        )


class _Joblib(_Converter):
    """Placeholders are objects; the bytes of the array follow the opcode that sets their state."""

    def replaces(self, name: str) -> bool:
        return name == _WRAPPER

    def persistent(self, value: object) -> object:  # noqa: ARG002 - always refused
        raise InputError("uses a persistent id, which is not allowed")

    def call(self, opcode: str, target: Any, value: Any) -> tuple[Any, bytes | None]:  # noqa: ANN401
        if opcode == "NEWOBJ" and target == ("name", _WRAPPER):
            return ("wrapper",), b"0"  # removes the argument; the opcodes of the name remain
        if opcode == "BUILD" and target == ("wrapper",):
            return _OPAQUE, b"00" + self.array(self._following(value))
        if opcode == "REDUCE" and target == ("name", "numpy dtype"):
            return ["dtype", _text(value[0])], None
        if opcode == "BUILD" and isinstance(target, list):
            target[1] = _text(value[1]) + target[1]
            return target, None
        return _OPAQUE, None

    def _following(self, state: Any) -> npt.NDArray[Any]:  # noqa: ANN401
        """The array whose bytes start at the current position."""
        kind, shape, code = state["dtype"][0], state["shape"], state["dtype"][1]
        if kind != "dtype" or not re.fullmatch(r"[<>|=]?([biu][1248]|f[248]|[SU]\d{1,6})", code):
            raise InputError(f"contains an array of type {quoted(code)}; only numbers and strings are supported")
        if not all(isinstance(n, int) and n >= 0 for n in shape):  # the product of other types could fill the memory
            raise InputError(f"damaged pickle: an array of shape {quoted(shape)}")
        dtype = np.dtype(code)
        if state.get("numpy_array_alignment_bytes") is not None:
            self.file.seek(self.file.read(1)[0], io.SEEK_CUR)
        count, start = math.prod(shape), self.file.tell()
        if start + count * dtype.itemsize > len(self.data):
            raise InputError(f"truncated: an array of shape {quoted(shape)} is incomplete; fetch it again")
        self.file.seek(count * dtype.itemsize, io.SEEK_CUR)
        flat = np.frombuffer(self.data, dtype, count, start)
        return flat.reshape(shape, order="F" if state["order"] == "F" else "C")


class _Torch(_Converter):
    """Placeholders are calls that rebuild a tensor from a file of the archive."""

    def __init__(self, archive: zipfile.ZipFile, root: str, size: int) -> None:
        super().__init__(archive.read(f"{root}data.pkl"), size)
        self._archive, self._root = archive, root
        order = f"{root}byteorder"
        self._swapped = order in archive.namelist() and archive.read(order) == b"big"
        self._storages: dict[tuple[str, str], npt.NDArray[Any]] = {}

    def replaces(self, name: str) -> bool:
        return name == _REBUILD or _storage(name) is not None

    def persistent(self, value: Any) -> object:  # noqa: ANN401
        """The storage of a tensor; the value is ('storage', kind, number, device, size)."""
        _, (_, name), number, *_ = value
        kind = _storage(name)
        if kind is None:
            raise InputError(f"contains a storage of kind {quoted(name)}; only plain tensors are supported")
        if (kind, number) not in self._storages:
            dtype = np.dtype(_DTYPES[kind])
            content = self._archive.read(f"{self._root}data/{number}")
            values = np.frombuffer(content, dtype.newbyteorder(">") if self._swapped else dtype)
            if kind == "BFloat16":
                values = (values.astype("<u4") << 16).view("<f4")
            self._storages[kind, number] = values
        return self._storages[kind, number]

    def call(self, opcode: str, target: Any, value: Any) -> tuple[Any, bytes | None]:  # noqa: ANN401
        if opcode != "REDUCE" or target != ("name", _REBUILD):
            return _OPAQUE, None
        storage, first, shape, strides, *_ = value
        last = first + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if not isinstance(storage, np.ndarray) or min((first, *shape, *strides)) < 0:
            raise InputError("damaged: a tensor has no storage, or negative sizes")
        count = math.prod(shape)
        if count and (count > len(storage) or last >= len(storage)):
            raise InputError(f"contains a tensor of shape {quoted(shape)} that is larger than its storage")
        steps = [stride * storage.itemsize for stride in strides]
        view = np.lib.stride_tricks.as_strided(storage[first:] if count else storage[:0], shape, steps)
        return _OPAQUE, b"00" + self.array(view)


def _storage(name: str) -> str | None:
    """The kind of storage of a name: `Float` for `torch FloatStorage`."""
    kind = name.removeprefix("torch ").removesuffix("Storage")
    return kind if name == f"torch {kind}Storage" and kind in _DTYPES else None
