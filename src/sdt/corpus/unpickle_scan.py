"""Walking over a pickle without executing it, to refuse what Python's unpickler itself handles badly."""

from __future__ import annotations

import pickle
import pickletools
import re
from itertools import groupby

from sdt.errors import InputError

_FIXED: dict[bytes, int] = {
    opcode.code.encode("latin1"): opcode.arg.n if opcode.arg else 0
    for opcode in pickletools.opcodes
    if opcode.arg is None or opcode.arg.n >= 0
}
"""Opcode to the size of its argument, where it has a fixed one."""
_LENGTH_PREFIX = {
    opcode.code.encode("latin1"): {
        pickletools.TAKEN_FROM_ARGUMENT1: 1,
        pickletools.TAKEN_FROM_ARGUMENT4: 4,
        pickletools.TAKEN_FROM_ARGUMENT4U: 4,
        pickletools.TAKEN_FROM_ARGUMENT8U: 8,
    }[opcode.arg.n]
    for opcode in pickletools.opcodes
    if opcode.arg is not None and opcode.arg.n < pickletools.UP_TO_NEWLINE
}
"""Opcode to the size of the number that gives its argument's size."""
_LINES = {
    opcode.code.encode("latin1"): 2 if opcode.arg is pickletools.stringnl_noescape_pair else 1
    for opcode in pickletools.opcodes
    if opcode.arg is not None and opcode.arg.n == pickletools.UP_TO_NEWLINE
}
"""Opcode to how many lines of text its argument is."""
_REFUSED_OPCODES = {
    **dict.fromkeys((pickle.EXT1, pickle.EXT2, pickle.EXT4), "an extension code"),
    **dict.fromkeys((pickle.PERSID, pickle.BINPERSID), "a persistent id (torch.save writes such)"),
    pickle.NEXT_BUFFER: "an out-of-band buffer",
}
_STEPPED = {pickle.LONG_BINPUT, pickle.STOP, *_REFUSED_OPCODES}


def _run() -> re.Pattern[bytes]:
    """Matches any number of opcodes with fixed sizes, so that a long list of floats is passed over at once."""
    sizes = sorted((size, code) for code, size in _FIXED.items() if code not in _STEPPED)
    kinds = [
        b"[%s].{%d}" % (b"".join(re.escape(code) for _, code in group), size)
        for size, group in groupby(sizes, key=lambda pair: pair[0])
    ]
    return re.compile(b"(?:%s)*+" % b"|".join(kinds), re.DOTALL)


_RUN = _run()


def scan(data: bytes) -> None:
    """Walk over the opcodes without executing them.

    Finds what the unpickler itself handles badly: a truncated file, bytes after the end, opcodes that reach outside of
    the file, and memo numbers so high that its table of them would fill the memory.
    """
    position = 0
    while True:
        run = _RUN.match(data, position)
        assert run is not None
        position = run.end()
        code = data[position : position + 1]
        position += 1
        if code == pickle.STOP:
            break
        if code in _REFUSED_OPCODES:
            raise InputError(f"asks for {_REFUSED_OPCODES[code]} at byte {position - 1}, which is refused")
        if code == pickle.LONG_BINPUT:
            _check_memo(int.from_bytes(data[position : position + 4], "little"), data)
            position += 4
        elif code in _LENGTH_PREFIX:
            size = _LENGTH_PREFIX[code]
            position += size + int.from_bytes(data[position : position + size], "little")
        elif code in _LINES:
            first = position
            for _ in range(_LINES[code]):
                position = _line_end(data, position)
            if code == pickle.PUT and position <= len(data):
                _check_memo(int(data[first:position]), data)
        elif position <= len(data) and code not in _FIXED:
            raise InputError(f"not a pickle, or damaged: unknown opcode {code!r} at byte {position - 1}")
        else:
            position = len(data) + 1
        if position > len(data):
            raise InputError(f"truncated: the file ends after {len(data)} bytes, inside the pickle; fetch it again")
    if position != len(data):
        raise InputError(f"{len(data) - position} bytes follow the end of the pickle: damaged, or not one pickle")


def _line_end(data: bytes, position: int) -> int:
    end = data.find(b"\n", position)
    return end + 1 if end >= 0 else len(data) + 1


def _check_memo(number: int, data: bytes) -> None:
    if number > len(data):
        raise InputError(f"damaged pickle: memo number {number} in a file of {len(data)} bytes")
