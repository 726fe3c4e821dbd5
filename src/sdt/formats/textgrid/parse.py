"""The tiers of a TextGrid, from its numbers and strings.

Praat reads free-standing numbers, strings and flags, and ignores everything else, so that the long format, whose values
have names, and the short one are the same.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from sdt.errors import InputError, quoted

MAX_TOKENS = 6_000_000
_TOKEN = re.compile(
    r'"(?P<string>(?:[^"]|"")*)"|<(?P<flag>[^<>\s]+)>|(?<!\S)!(?P<comment>[^\n]*)|'
    r"(?<!\S)(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?=\s|$)"
)
_KINDS = {"IntervalTier": False, "TextTier": True}


@dataclass(frozen=True, slots=True)
class GridSpan:
    """An interval, or a point whose start and end are equal."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class GridTier:
    """A tier of intervals or points."""

    name: str
    points: bool
    spans: list[GridSpan] = field(default_factory=list)
    first: int = 0
    """The position of its class in the text."""
    last: int = 0
    """The position after its last value."""

    @property
    def filled(self) -> list[GridSpan]:
        """The spans with text."""
        return [span for span in self.spans if span.text.strip()]


@dataclass(frozen=True, slots=True)
class Grid:
    """The content of a file."""

    start: float
    end: float
    tiers: list[GridTier]
    count: tuple[int, int]
    """The positions of the number of tiers in the text."""


class _Tokens:
    """The values of a file, in order."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._found = (token for token in _TOKEN.finditer(text) if token["comment"] is None)
        self.start = self.end = 0
        """The position of the last value."""
        self._count = 0

    def _next(self, kind: str, expected: str) -> str:
        token = next(self._found, None)
        if token is None:
            raise InputError(f"{self._path}: ends before {expected}; is the file truncated?")
        self._count += 1
        if self._count > MAX_TOKENS:
            raise InputError(f"{self._path}: has more than {MAX_TOKENS:,} values; split the file")
        self.start, self.end = token.span()
        value = token[kind]
        if value is None:
            raise self.error(f"{quoted(token[0])} found, expected {expected}")
        return str(value)

    def string(self, expected: str) -> str:
        return self._next("string", expected).replace('""', '"')

    def flag(self, expected: str) -> str:
        return self._next("flag", expected)

    def number(self, expected: str) -> float:
        number = float(self._next("number", expected))
        if not math.isfinite(number):
            raise self.error(f"{expected} is not a finite number")
        return number

    def size(self, expected: str) -> int:
        number = self.number(expected)
        if number != int(number) or not 0 <= number <= MAX_TOKENS:
            raise self.error(f"{expected} is {number:g}")
        return int(number)

    def error(self, problem: str) -> InputError:
        line = self._text.count("\n", 0, self.start) + 1
        return InputError(f"{self._path}, line {line}: {problem}")


def parse(path: Path, text: str) -> Grid:
    """Parse a file.

    Args:
        path: The file, for error messages.
        text: Its content.

    Raises:
        InputError: The file is truncated, or a value is missing or invalid; the message names the line.
    """
    tokens = _Tokens(path, text)
    tokens.string("the file type")
    tokens.string("the object class")
    start, end = tokens.number("the start of the grid"), tokens.number("the end of the grid")
    if tokens.flag("<exists>") != "exists":
        return Grid(start, end, [], (tokens.end, tokens.end))
    size = tokens.size("the number of tiers")
    count = tokens.start, tokens.end
    return Grid(start, end, [_tier(tokens) for _ in range(size)], count)


def _tier(tokens: _Tokens) -> GridTier:
    kind = tokens.string("the class of a tier")
    first = tokens.start
    if kind not in _KINDS:
        raise tokens.error(f"class {quoted(kind)} of a tier is unknown; expected IntervalTier or TextTier")
    points, name = _KINDS[kind], tokens.string("the name of a tier")
    tokens.number("the start of a tier")
    tokens.number("the end of a tier")
    spans = []
    for _ in range(tokens.size("the number of intervals or points")):
        start = tokens.number("a time")
        end = start if points else tokens.number("the end of an interval")
        if end < start or start < -1e-9:
            raise tokens.error(f"an interval from {start} to {end} is not a time range from 0 on")
        spans.append(GridSpan(max(0.0, start), max(0.0, end), tokens.string("a text")))
    return GridTier(name, points, spans, first, tokens.end)
