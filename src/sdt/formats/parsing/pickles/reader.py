"""A safe reader of untrusted pickles: an interpreter that builds plain containers and NumPy arrays only.

A pickle is a program that calls functions by name and reuses its results. Python's unpickler runs any such program: a
few hundred bytes of shared tuples keep it busy forever, and a hundred thousand nested ones crash it. This interpreter
maps names to the constructors of `constructors` only, which check their arguments.

A budget of memory, `max_expanded_bytes` of the file size, limits each file. Every new object is charged to it in bytes,
and a shared object is charged each time it is used, so that traversing the result stays within the budget, too.
Containers are nested at most `MAX_NESTING` deep and never contain themselves, and only flat values are hashed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sdt.errors import InputError, quoted
from sdt.files import max_expanded_bytes
from sdt.formats.parsing.pickles.constructors import (
    Constructor,
    array_weight,
    check_keys,
    find_constructor,
    restore_array,
    restore_dtype,
)
from sdt.formats.parsing.pickles.opcodes import errors_in, instructions

MAX_NESTING = 64
"""The largest depth of containers; published feature files have a depth of four."""
_NUMBER = 40
"""Bytes of memory charged for a number in a list."""
_ENTRY = 100
"""Bytes of memory charged for a container, and for an entry of a dictionary, a set or the memo."""
_NUMBERS = {float, int, bool, type(None)}
_NOT_PICKLES = {
    b"PK\x03\x04": "a zip archive, as torch.save and numpy.savez write; unpack it, or save it again with pickle.dump",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\x93NUMPY": "a .npy file, not a pickle",
    b"<!": "a web page, not a pickle; download the file again",
    b"<h": "a web page, not a pickle; download the file again",
    b"version https://git-lfs": "a git-lfs pointer, not the file itself; fetch it with: git lfs pull",
}


def load(path: Path) -> object:
    """Read a pickle of plain containers, strings, numbers and numpy arrays.

    Args:
        path: A file of any pickle protocol, written by Python 2 or 3 with any version of NumPy. Byte strings of
            Python 2 are decoded as Latin-1.

    Returns:
        The pickled object. `OrderedDict` and `defaultdict` become `dict`, `range` becomes `list`; arrays can be
        read-only.

    Raises:
        InputError: The file cannot be read, is truncated or damaged, calls a constructor that is not on the
            allowlist, or exceeds its memory budget.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    for magic, kind in _NOT_PICKLES.items():
        if data.startswith(magic):
            raise InputError(f"{path}: this is {kind}")
    return loads(path, data)


def loads(path: Path, data: bytes) -> object:
    """Read a pickle from memory; see `load`.

    Args:
        path: The file that the pickle comes from, for error messages.
        data: The pickle.
    """
    with errors_in(path):
        return _Interpreter(len(data)).run(data)


class _Box:
    """A container, array or dtype under construction."""

    __slots__ = ("closed", "depth", "value", "weight")

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - any container
        self.value = value
        self.weight = 0
        """Bytes of memory; shared content counts each time it occurs."""
        self.depth = 0
        """The depth of nested containers, including this one."""
        self.closed = False
        """Whether another container contains this one and counts its weight; it cannot change any more."""


class _Interpreter:
    def __init__(self, size: int) -> None:
        self._size = size
        self._left = max_expanded_bytes(size)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> object:
        handlers = {name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")}
        for instruction, argument in instructions(data):
            if instruction == "stop":
                break
            handlers[instruction](argument)
        ((result,), _, _) = self._take(self._pop_last(1))
        return result

    def _charge(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise InputError(
                f"expands to more than {max_expanded_bytes(self._size):,} bytes, the limit for a pickle of "
                f"{self._size:,} bytes"
            )

    def _take(self, items: list[Any]) -> tuple[list[Any], int, int]:
        """The values of stack items that move into a container, with their weight and depth."""
        if set(map(type, items)) <= _NUMBERS:
            return items, _NUMBER * len(items), 0
        values, weight, depth = [], 0, 0
        for item in items:
            if isinstance(item, _Box):
                if item.closed:
                    self._charge(item.weight)
                item.closed = True
                weight += item.weight
                depth = max(depth, item.depth)
                values.append(item.value)
            else:
                weight += sys.getsizeof(item)
                values.append(item)
        return values, weight, depth

    def _add(self, value: object, weight: int, depth: int) -> None:
        """Push a new container whose content has this weight and depth."""
        cost = _ENTRY + sys.getsizeof(value)
        self._charge(cost)
        box = _Box(value)
        self._stack.append(box)
        self._grow(box, cost + weight, depth)

    def _grow(self, box: _Box, weight: int, depth: int) -> None:
        """Account for new content of a container."""
        if box.closed:
            raise InputError("damaged pickle: a container contains itself, or changes after it was used")
        box.weight += weight
        box.depth = max(box.depth, depth + 1)
        if box.depth > MAX_NESTING:
            raise InputError(f"damaged pickle: containers nested more than {MAX_NESTING} deep")

    def _pop_last(self, count: int | None) -> list[Any]:
        """Pop `count` items off the stack; None pops all items since the mark."""
        first = self._marks.pop() if count is None else len(self._stack) - count
        if not 0 <= first <= len(self._stack):
            raise InputError("damaged pickle: it pops from an empty stack")
        items = self._stack[first:]
        del self._stack[first:]
        return items

    def do_nothing(self, _: None) -> None:
        pass

    def do_push(self, value: object) -> None:
        self._charge(8 if value is None or isinstance(value, bool) else sys.getsizeof(value) + 8)
        self._stack.append(value)

    def do_numbers(self, values: list[float]) -> None:
        self._charge(_NUMBER * len(values))
        self._stack.extend(values)

    def do_mark(self, _: None) -> None:
        self._charge(_NUMBER)
        self._marks.append(len(self._stack))

    def do_pop(self, _: None) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._stack.pop()

    def do_pop_mark(self, _: None) -> None:
        self._pop_last(None)

    def do_duplicate(self, _: None) -> None:
        self._push_shared(self._stack[-1])

    def do_put(self, number: int | None) -> None:
        self._charge(_ENTRY)
        self._memo[len(self._memo) if number is None else number] = self._stack[-1]

    def do_get(self, number: int) -> None:
        if number not in self._memo:
            raise InputError(f"damaged pickle: memo number {quoted(number)} is not set")
        self._push_shared(self._memo[number])

    def _push_shared(self, item: object) -> None:
        self._charge(8 if isinstance(item, _Box) else sys.getsizeof(item))
        self._stack.append(item)

    def do_new(self, kind: type) -> None:
        self._add(kind(), 0, 0)

    def do_tuple(self, count: int | None) -> None:
        values, weight, depth = self._take(self._pop_last(count))
        self._add(tuple(values), weight, depth)

    def do_collect(self, kind: type) -> None:
        items = self._pop_last(None)
        self.do_new(set if kind is frozenset else kind)
        self._put_into(self._stack[-1], items)
        self._stack[-1].value = kind(self._stack[-1].value)

    def do_fill(self, kind_count: tuple[type, int | None]) -> None:
        kind, count = kind_count
        items = self._pop_last(count)
        box = self._stack[-1]
        if not isinstance(box, _Box) or not isinstance(box.value, kind):
            raise InputError(f"damaged pickle: it adds items to an object that is not a {kind.__name__}")
        self._put_into(box, items)

    def _put_into(self, box: _Box, items: list[Any]) -> None:
        values, weight, depth = self._take(items)
        entries = _ENTRY * len(values) if not isinstance(box.value, list) else 8 * len(values)
        self._charge(entries)
        self._grow(box, weight + entries, depth)
        if isinstance(box.value, list):
            box.value.extend(values)
        elif isinstance(box.value, dict):
            check_keys(values[::2])
            box.value.update(zip(values[::2], values[1::2], strict=True))
        else:
            check_keys(values)
            box.value.update(values)

    def do_name(self, module_name: list[str] | None) -> None:
        module, name = module_name or self._pop_last(2)
        if not isinstance(name, str) or not isinstance(module, str):
            raise InputError("damaged pickle: the name of a constructor is not a string")
        self.do_push(find_constructor(module, name))

    def do_reduce(self, _: None) -> None:
        """Call a constructor; its result is at most as large and as deep as its arguments."""
        constructor, arguments = self._pop_last(2)
        if not isinstance(constructor, Constructor) or not isinstance(arguments, _Box):
            raise InputError("damaged pickle: it calls an object that is not a constructor")
        result = constructor.call(*arguments.value)
        if isinstance(result, bytes | bytearray | complex | np.generic):
            self.do_push(result)
            return
        weight = arguments.weight
        if isinstance(result, np.ndarray):
            weight += array_weight(result)
        elif isinstance(result, range):
            weight += _NUMBER * len(result)
        self._charge(weight)
        self._add(list(result) if isinstance(result, range) else result, weight, arguments.depth)

    def do_build(self, _: None) -> None:
        """Set the state of an array or dtype."""
        box, state = self._pop_last(2)
        if isinstance(box, Constructor):
            raise InputError(f"changes {box.name}, which is not allowed")
        if not isinstance(box, _Box) or not isinstance(state, _Box):
            raise InputError("damaged pickle: it sets the state of an object without state")
        weight, before = state.weight, box.value
        if isinstance(before, np.dtype):
            box.value = restore_dtype(before, state.value)
        elif isinstance(before, np.ndarray):
            box.value = restore_array(state.value)
            weight += array_weight(box.value)
        else:
            raise InputError(f"sets the state of a {type(before).__name__}, which is not allowed")
        self._charge(weight)
        self._grow(box, weight, state.depth)
        self._stack.append(box)
