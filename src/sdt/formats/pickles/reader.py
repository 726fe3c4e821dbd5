"""Reading strangers' pickles: an interpreter that builds plain containers and numpy arrays and refuses the rest.

A pickle is a program: it names functions and calls them, and it can refer again to whatever it made before. Python's
own unpickler does what it says: a few hundred bytes of shared tuples keep it busy for ever, and some hundred thousand
nested ones crash it. Here, a name leads only to a constructor of `unpickle_names`, whose arguments are checked.

One budget covers the whole file: `most_expanded` of its size. Whatever is made is charged to it in bytes of memory, and
what is shared is charged each time that it is used, so that whatever walks over the result stays within the budget,
too. Containers are nested at most `MOST_NESTED` deep, never contain themselves, and only flat values are hashed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sdt.errors import InputError, quoted
from sdt.files import most_expanded
from sdt.formats.pickles.names import Name, array_of_state, check_keys, dtype_of_state, find_name, weight_of_array
from sdt.formats.pickles.opcodes import instructions

MOST_NESTED = 64
"""Published feature files are four deep."""
_NUMBER = 40
"""Bytes of memory of a number in a list."""
_PLACE = 100
"""Bytes of memory of what is known of a container here, or of a place in a dictionary, a set or the memo."""
_NUMBERS = {float, int, bool, type(None)}
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

    Args:
        path: The file, of any pickle protocol, written by Python 2 or 3 with any version of numpy. Byte strings of
            Python 2 become text, read as Latin-1.

    Returns:
        What was pickled. `OrderedDict` and `defaultdict` come back as `dict`, `range` as `list`; arrays may be
        read-only.

    Raises:
        InputError: The file cannot be read, is truncated or damaged, names a constructor that is not on the list of
            harmless ones, or expands to more than its budget.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    for magic, what in _NOT_PICKLES.items():
        if data.startswith(magic):
            raise InputError(f"{path}: this is {what}")
    return loads(path, data)


def loads(path: Path, data: bytes) -> object:
    """The same of a pickle in memory, which is a part of a file or was made of it.

    Args:
        path: The file, for messages.
        data: The pickle.
    """
    try:
        return _Interpreter(len(data)).run(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise InputError(f"{path}: damaged pickle: it asks for more memory than there is") from None
    except Exception as error:  # damaged opcodes find an empty stack, or values of another type, anywhere
        raise InputError(f"{path}: damaged pickle ({type(error).__name__}: {quoted(str(error))})") from None


class _Box:
    """A container, array or dtype while the pickle is read."""

    __slots__ = ("closed", "depth", "value", "weight")

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - any container
        self.value = value
        self.weight = 0
        """Bytes of memory, with whatever is shared inside counted each time."""
        self.depth = 0
        """How deep the containers inside are nested, itself included."""
        self.closed = False
        """Whether it is inside another one; from then on it stays as it is, since its weight is counted there."""


class _Interpreter:
    def __init__(self, size: int) -> None:
        self._size = size
        self._left = most_expanded(size)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> object:
        acts = {name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")}
        for instruction, argument in instructions(data):
            if instruction == "stop":
                break
            acts[instruction](argument)
        ((result,), _, _) = self._take(self._pop_last(1))
        return result

    def _charge(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise InputError(
                f"expands to more than {most_expanded(self._size):,} bytes, the most that a pickle of {self._size:,} "
                "bytes may come to"
            )

    def _take(self, items: list[Any]) -> tuple[list[Any], int, int]:
        """What to put into a container: the values of these items of the stack, their weight and depth."""
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
        """Put a new container on the stack, whose content has this weight and depth."""
        cost = _PLACE + sys.getsizeof(value)
        self._charge(cost)
        box = _Box(value)
        self._stack.append(box)
        self._grow(box, cost + weight, depth)

    def _grow(self, box: _Box, weight: int, depth: int) -> None:
        """Count new content of a container."""
        if box.closed:
            raise InputError("damaged pickle: a container that contains itself, or that changes after it was used")
        box.weight += weight
        box.depth = max(box.depth, depth + 1)
        if box.depth > MOST_NESTED:
            raise InputError(f"damaged pickle: containers nested more than {MOST_NESTED} deep")

    def _pop_last(self, count: int | None) -> list[Any]:
        """Take so many items off the stack; None for all since the mark."""
        first = self._marks.pop() if count is None else len(self._stack) - count
        if not 0 <= first <= len(self._stack):
            raise InputError("damaged pickle: it takes more values than there are")
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
        self._again(self._stack[-1])

    def do_put(self, number: int | None) -> None:
        self._charge(_PLACE)
        self._memo[len(self._memo) if number is None else number] = self._stack[-1]

    def do_get(self, number: int) -> None:
        if number not in self._memo:
            raise InputError(f"damaged pickle: memo number {quoted(number)} is not set")
        self._again(self._memo[number])

    def _again(self, item: object) -> None:
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
            raise InputError(f"damaged pickle: no {kind.__name__} where one is to be filled")
        self._put_into(box, items)

    def _put_into(self, box: _Box, items: list[Any]) -> None:
        values, weight, depth = self._take(items)
        places = _PLACE * len(values) if not isinstance(box.value, list) else 8 * len(values)
        self._charge(places)
        self._grow(box, weight + places, depth)
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
            raise InputError("damaged pickle: a constructor that is not named by text")
        self.do_push(find_name(module, name))

    def do_reduce(self, _: None) -> None:
        """Call a constructor; what it makes of containers is as large and as deep as they are."""
        constructor, arguments = self._pop_last(2)
        if not isinstance(constructor, Name) or not isinstance(arguments, _Box):
            raise InputError("damaged pickle: it calls what is no constructor")
        result = constructor.call(*arguments.value)
        if isinstance(result, bytes | bytearray | complex | np.generic):
            self.do_push(result)
            return
        weight = arguments.weight
        if isinstance(result, np.ndarray):
            weight += weight_of_array(result)
        elif isinstance(result, range):
            weight += _NUMBER * len(result)
        self._charge(weight)
        self._add(list(result) if isinstance(result, range) else result, weight, arguments.depth)

    def do_build(self, _: None) -> None:
        """Give an array or dtype its state."""
        box, state = self._pop_last(2)
        if isinstance(box, Name):
            raise InputError(f"asks to change {box.name}, which is refused")
        if not isinstance(box, _Box) or not isinstance(state, _Box):
            raise InputError("damaged pickle: it gives a state to what takes none")
        weight, before = state.weight, box.value
        if isinstance(before, np.dtype):
            box.value = dtype_of_state(before, state.value)
        elif isinstance(before, np.ndarray):
            box.value = array_of_state(state.value)
            weight += weight_of_array(box.value)
        else:
            raise InputError(f"gives a state to a {type(before).__name__}, which is refused")
        self._charge(weight)
        self._grow(box, weight, state.depth)
        self._stack.append(box)
