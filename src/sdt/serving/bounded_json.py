"""Limits on the structure of JSON, checked before it is parsed.

A parser creates all values before they can be checked: 2 MB of JSON can become hundreds of megabytes of objects, and
the parser holds the interpreter lock meanwhile. This module finds the brackets, commas and colons outside of strings
with NumPy, one piece of the body at a time, so that other threads can run. The parser still decides whether the body is
valid JSON: every byte is in one of the parts that `outline` returns, and each part is parsed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from sdt.serving.errors import APIError, invalid_request

PIECE = 2**17
"""Bytes that are scanned at a time."""
DEPTH = 12
"""Maximum levels of nesting; requests need at most 7, for features of an utterance of a batch."""
NUMBER = 64
"""Maximum characters of a number; 25 suffice for any float64. Up to twice as many may be accepted."""
MAX_OUTSIDE = 1000
"""Maximum number of values outside of the list of items."""
_KEY = 100
"""Maximum bytes of a key that is compared."""

_STRUCTURE = np.zeros(256, dtype=np.bool_)
_STRUCTURE[list(b"{}[],:")] = True
_STEP = np.zeros(256, dtype=np.int8)
_STEP[list(b"{[")] = 1
_STEP[list(b"}]")] = -1
_WORD = ~_STRUCTURE
_WORD[list(b' \t\r\n"')] = False
_INDEX = np.arange(PIECE)


class TooManyItems(Exception):  # noqa: N818 - the caller knows the limit's name
    """A list has more items than allowed."""


@dataclass(frozen=True)
class Outline:
    """A JSON object, divided at the items of one of its lists."""

    rest: bytes
    """The object with a placeholder instead of the list; the whole object if it has no such list, or an empty one."""
    items: list[tuple[int, int]]
    """The start and end of each item in the body."""


@dataclass(frozen=True)
class _Tokens:
    """Structural characters, in order."""

    places: npt.NDArray[np.int64]
    """Their positions in the body."""
    levels: npt.NDArray[np.int64]
    """Number of open brackets at each, including one that opens or closes there."""
    ranks: npt.NDArray[np.int64]
    """Number of structural characters before each."""


def outline(body: memoryview, key: str, *, placeholder: bytes, items: int, values: int, where: str = "") -> Outline:
    """Split a JSON object at the items of a list.

    Args:
        body: The object.
        key: The key of the list.
        placeholder: A valid list that replaces it in the rest.
        items: The maximum number of items.
        values: The maximum number of values of an item.
        where: The prefix of the places that error messages name.

    Raises:
        TooManyItems: The list has more than `items`.
        APIError: It is truncated, nested too deeply, has too many values, too long a number, or the list twice.
    """
    if not body:
        raise APIError(400, "malformed", "not JSON: the body is empty")
    top, total = _top(body, items + MAX_OUTSIDE, where)
    opens = _opening(body, key, top, where)
    if opens is None:
        _bound(where or "body", total, MAX_OUTSIDE)
        return Outline(bytes(body), [])
    signs = np.frombuffer(body, dtype=np.uint8)[top.places]
    ends = opens + 1 + np.flatnonzero((top.levels[opens + 1 :] == 2) & (signs[opens + 1 :] != ord(",")))
    end = int(ends[0]) if len(ends) else len(signs) - 1
    if end - opens > items:
        raise TooManyItems
    if signs[end] != ord("]"):
        raise APIError(400, "malformed", f"not JSON: {where}{key} is not a list")
    counts = np.diff(top.ranks[opens : end + 1]) - 1
    _bound(f"{where}content besides {key}", total - int(top.ranks[end] - top.ranks[opens]), MAX_OUTSIDE)
    for number in np.flatnonzero(counts > values):
        _bound(f"{where}{key}.{number}", int(counts[number]), values)
    places = top.places[opens : end + 1].tolist()
    if len(places) == 2 and not bytes(body[places[0] + 1 : places[1]]).strip():
        return Outline(bytes(body), [])
    rest = b"".join((body[: places[0]], placeholder, body[places[-1] + 1 :]))
    return Outline(rest, [(before + 1, after) for before, after in itertools.pairwise(places)])


def check_bounds(body: memoryview, values: int) -> None:
    """Check the number of values, the nesting and the length of numbers of JSON.

    Raises:
        APIError: A limit is exceeded.
    """
    total = 0
    for tokens in _scan(body, ""):
        total += len(tokens.places)
        _bound("message", total, values)


def _bound(where: str, count: int, most: int) -> None:
    if count > most:
        raise invalid_request(f"{where}: has more than {most:,} values")


def _top(body: memoryview, most: int, where: str) -> tuple[_Tokens, int]:
    """The first structural characters of the upper two levels, and the number of those of all levels.

    Args:
        body: JSON.
        most: How many to find; the rest of the body is not scanned.
        where: See `outline`.

    Raises:
        APIError: It is truncated, nested too deeply, or has too long a number.
    """
    kept, size, total = [], 0, 0
    for tokens in _scan(body, where):
        upper = np.flatnonzero(tokens.levels <= 2)
        kept.append(_Tokens(tokens.places[upper], tokens.levels[upper], total + upper))
        size, total = size + len(upper), total + len(tokens.places)
        if size > most:
            break
    parts = zip(*((one.places, one.levels, one.ranks) for one in kept), strict=True)
    return _Tokens(*(np.concatenate(part)[: most + 1] for part in parts)), total


def _opening(body: memoryview, key: str, top: _Tokens, where: str) -> int | None:
    """The index of the bracket that opens the list; None if the list is missing.

    Raises:
        APIError: The key occurs more than once.
    """
    found = []
    for token in np.flatnonzero(top.levels[:-1] == 1).tolist():
        place, begins = int(top.places[token]), int(top.places[token - 1]) + 1 if token else 0
        if body[place] == ord(":") and _is(key, body[begins:place]):
            found.append(token + 1)
    if len(found) > 1:
        raise invalid_request(f"{where}{key}: appears {len(found)} times")
    return found[0] if found and body[top.places[found[0]]] == ord("[") else None


def _is(key: str, written: memoryview) -> bool:
    """Whether JSON text is this key."""
    if len(written) > _KEY:
        return False
    try:
        return bool(from_json(bytes(written)) == key)
    except ValueError:
        return False


def _scan(body: memoryview, where: str) -> Iterator[_Tokens]:
    """Yield the structural characters, piece by piece; ranks restart with each piece.

    Raises:
        APIError: It is truncated, nested too deeply, or has too long a number.
    """
    in_string, escaped, depth = False, False, 0
    for first in range(0, len(body), PIECE):
        piece = np.frombuffer(body[first : first + PIECE], dtype=np.uint8)
        quotes = piece == ord('"')
        slashes = piece == ord("\\")
        if escaped or slashes.any():
            # The length of the run of backslashes that ends at each character, continued from the previous piece.
            index = _INDEX[: len(piece)]
            run = index - np.maximum.accumulate(np.where(slashes, -1 - escaped, index))
            quotes[0] &= not escaped
            quotes[1:] &= run[:-1] % 2 == 0
            escaped = bool(run[-1] % 2)
        inside = np.logical_xor.accumulate(quotes) ^ in_string
        in_string = bool(inside[-1])
        words = (_WORD[piece] & ~inside)[: len(piece) // NUMBER * NUMBER]
        if words.reshape(-1, NUMBER).all(axis=1).any():
            raise APIError(400, "malformed", f"{where}a number has more than {NUMBER} characters")
        places = np.flatnonzero(_STRUCTURE[piece] & ~inside)
        steps = _STEP[piece[places]]
        after = depth + np.cumsum(steps, dtype=np.int64)
        levels = after + (steps < 0)
        if len(levels) and levels.max() > DEPTH:
            raise APIError(400, "malformed", f"{where}the JSON is nested more than {DEPTH} levels deep")
        depth = int(after[-1]) if len(after) else depth
        yield _Tokens(places + first, levels, _INDEX[: len(places)])
    if in_string or depth > 0:
        raise APIError(400, "malformed", f"{where}not JSON: the end is missing")
