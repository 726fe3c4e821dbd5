"""The opcodes of a pickle of any protocol, parsed into a small set of instructions."""

from __future__ import annotations

import codecs
import contextlib
import pickletools
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sdt.errors import InputError, quoted

Instruction = tuple[str, Any]
"""One of

    push VALUE         push a number or a string
    numbers VALUES     push several numbers
    new KIND           push an empty container
    collect KIND       replace the values since the mark by a container of them
    tuple COUNT        replace the last values by a tuple of them; None: all values since the mark
    fill KIND, COUNT   move the last values into the container below them; None: all values since the mark
    mark, pop, pop_mark, duplicate, reduce, build
    put NUMBER         store the last value in the memo; None: under the next number
    get NUMBER         push a value of the memo
    name MODULE, NAME  push a constructor; None: both names are the last values
    stop
"""
_MOST_DIGITS = 600
_MOST_BYTES = 255


@contextlib.contextmanager
def errors_in(path: Path) -> Iterator[None]:
    """Turn every error of reading a pickle into an `InputError` that names the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise InputError(f"{path}: damaged pickle: it requires more memory than the machine has") from None
    except Exception as error:  # damaged opcodes find an empty stack, or values of another type, anywhere
        raise InputError(f"{path}: damaged pickle ({type(error).__name__}: {quoted(str(error))})") from None


def instructions(data: bytes) -> Iterator[Instruction]:
    """Yield the instructions of a pickle.

    Args:
        data: The pickle.

    Raises:
        InputError: The pickle is truncated or followed by other data, contains an overlong number or invalid Unicode,
            or uses an opcode that plain data do not need.
    """
    position, size = 0, len(data)
    while position < size:
        code = data[position]
        if code in _NUMBERS and (run := _NUMBERS[code].match(data, position)):  # features are long lists of numbers
            first, position = position, run.end()
            if code == _FLOAT:
                count = (position - first) // _FLOAT_RECORD.itemsize
                yield "numbers", np.frombuffer(data, _FLOAT_RECORD, count, first)["value"].tolist()
            else:
                yield "numbers", list(data[first + 1 : position : 2])
            continue
        if code not in _OPCODES:
            raise InputError(f"not a pickle, or damaged: unknown opcode {bytes([code])!r} at byte {position}")
        opcode, instruction, convert = _OPCODES[code]
        start, end = _argument(opcode, data, position + 1)
        if end > size:
            break
        if instruction == "refuse":
            raise InputError(f"uses {convert(b'')} at byte {position}, which is not allowed")
        position = end
        if instruction == "stop" and position < size:
            raise InputError(f"{size - position} bytes follow the end of the pickle: damaged, or not one pickle")
        yield instruction, convert(data[start:end])
        if instruction == "stop":
            return
    raise InputError(f"truncated: the file ends after {size} bytes, inside the pickle; fetch it again")


def _argument(opcode: pickletools.OpcodeInfo, data: bytes, start: int) -> tuple[int, int]:
    """The start and end of an argument at byte `start`; the end exceeds the size of a truncated file."""
    if opcode.arg is None:
        return start, start
    if opcode.arg.n >= 0:
        return start, start + opcode.arg.n
    if opcode.arg.n == pickletools.UP_TO_NEWLINE:
        end = start
        for _ in range(2 if opcode.arg is pickletools.stringnl_noescape_pair else 1):
            end = data.find(b"\n", end) + 1 or len(data) + 1
        return start, end
    prefix = _PREFIX[opcode.arg.n]
    size = int.from_bytes(data[start : start + prefix], "little")
    return start + prefix, start + prefix + size


def _unsigned(argument: bytes) -> int:
    return int.from_bytes(argument, "little")


def _signed(argument: bytes) -> int:
    if len(argument) > _MOST_BYTES:
        raise InputError(f"damaged pickle: an integer of {len(argument)} bytes")
    return int.from_bytes(argument, "little", signed=True)


def _digits(argument: bytes) -> bytes:
    if len(argument) > _MOST_DIGITS:
        raise InputError(f"damaged pickle: a number of {len(argument)} digits")
    return argument


def _integer_line(argument: bytes) -> int:
    if argument in (b"00\n", b"01\n"):
        return argument == b"01\n"
    return int(_digits(argument.strip().removesuffix(b"L")))


def _string_line(argument: bytes) -> str:
    text = argument.strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise InputError("damaged pickle: a string without quotation marks")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _unicode(text: str) -> str:
    """Join surrogate pairs, which narrow builds of Python 2 wrote as two characters.

    Raises:
        InputError: The text has an unpaired surrogate.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise InputError(f"damaged pickle: {quoted(text)} is not valid Unicode") from None


def _constant(value: object) -> Callable[[bytes], object]:
    return lambda _: value


_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOAT, _BYTE = b"GK"
_NUMBERS = {_FLOAT: re.compile(rb"(?:G.{8})++", re.DOTALL), _BYTE: re.compile(rb"(?:K.)++", re.DOTALL)}
"""Runs of BINFLOAT and BININT1, which are parsed together."""
_FLOAT_RECORD = np.dtype([("code", "S1"), ("value", ">f8")])
_PREFIX = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_READ: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "INT LONG": ("push", _integer_line),
    "BININT1 BININT2": ("push", _unsigned),
    "BININT LONG1 LONG4": ("push", _signed),
    "FLOAT": ("push", lambda argument: float(_digits(argument))),
    "BINFLOAT": ("push", lambda argument: struct.unpack(">d", argument)[0]),
    "STRING": ("push", _string_line),
    "BINSTRING SHORT_BINSTRING": ("push", lambda argument: argument.decode("latin1")),
    "UNICODE": ("push", lambda argument: _unicode(argument[:-1].decode("raw-unicode-escape"))),
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8": (
        "push",
        lambda argument: _unicode(argument.decode("utf-8", "surrogatepass")),
    ),
    "BINBYTES SHORT_BINBYTES BINBYTES8": ("push", bytes),
    "BYTEARRAY8": ("push", bytearray),
    "BINGET LONG_BINGET": ("get", _unsigned),
    "GET": ("get", _integer_line),
    "BINPUT LONG_BINPUT": ("put", _unsigned),
    "PUT": ("put", _integer_line),
    "GLOBAL": ("name", lambda argument: argument.decode().split("\n")[:2]),
}
"""Opcodes to their instruction and the parser of its argument."""
_FIXED: dict[str, tuple[str, object]] = {
    "PROTO FRAME": ("nothing", None),
    **{name: (name.lower(), None) for name in ("MARK", "POP", "POP_MARK", "REDUCE", "BUILD", "STOP")},
    **{"DUP": ("duplicate", None), "MEMOIZE": ("put", None), "STACK_GLOBAL": ("name", None)},
    **{"NONE": ("push", None), "NEWTRUE": ("push", True), "NEWFALSE": ("push", False)},
    **{
        "EMPTY_LIST": ("new", list),
        "EMPTY_DICT": ("new", dict),
        "EMPTY_SET": ("new", set),
        "EMPTY_TUPLE": ("tuple", 0),
    },
    **{"LIST": ("collect", list), "DICT": ("collect", dict), "FROZENSET": ("collect", frozenset)},
    **{"EMPTY_TUPLE": ("tuple", 0), "TUPLE": ("tuple", None)},
    **{"TUPLE1": ("tuple", 1), "TUPLE2": ("tuple", 2), "TUPLE3": ("tuple", 3)},
    **{"APPEND": ("fill", (list, 1)), "APPENDS": ("fill", (list, None)), "ADDITEMS": ("fill", (set, None))},
    **{"SETITEM": ("fill", (dict, 2)), "SETITEMS": ("fill", (dict, None))},
    "EXT1 EXT2 EXT4": ("refuse", "an extension code"),
    "PERSID BINPERSID": ("refuse", "a persistent id, as torch.save writes"),
    "NEXT_BUFFER READONLY_BUFFER": ("refuse", "an out-of-band buffer"),
    "INST OBJ NEWOBJ NEWOBJ_EX": ("refuse", "an instance of a class"),
}
"""Opcodes to their instruction and its constant argument."""
_OPCODES = {
    ord(opcode.code): (opcode, instruction, convert)
    for names, (instruction, convert) in {
        **_READ,
        **{names: (instruction, _constant(value)) for names, (instruction, value) in _FIXED.items()},
    }.items()
    for opcode in pickletools.opcodes
    if opcode.name in names.split()
}
