"""The records of a CSV or JSON Lines file, again and again: all of them in turn, or those between two places.

A JSON Lines file is mapped and never in memory as a whole; a CSV file is, since only its reader knows where a record
ends.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.corpus.importers.csv_lines import Line
from sdt.corpus.importers.json_records import json_line
from sdt.errors import InputError

_BOM = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """One record and where it stands."""

    line: int
    """Of the file, from 1."""
    values: Mapping[str, object]
    first: int
    """The place where it begins; see `Records.between`."""
    end: int
    """The place after it."""


class Records(ABC):
    """The records of a file."""

    @abstractmethod
    def __iter__(self) -> Iterator[Record]: ...

    @abstractmethod
    def between(self, first: int, end: int, line: int) -> Iterator[Record]:
        """Those between two places; the first of them stands in this line."""


class CsvRecords(Records):
    """Lines under a header; a place is a number of lines."""

    def __init__(self, names: Sequence[str], lines: Sequence[Line]) -> None:
        self._names, self._lines = names, lines

    def __iter__(self) -> Iterator[Record]:
        return self.between(0, len(self._lines), 0)

    def between(self, first: int, end: int, line: int) -> Iterator[Record]:  # noqa: ARG002 - a line knows its number
        """Those between two places."""
        for place in range(first, end):
            found = self._lines[place]
            yield Record(found.number, dict(zip(self._names, found.cells, strict=True)), place, place + 1)


class JsonRecords(Records):
    """The objects of the lines that are not blank; a place is a byte.

    Args:
        path: The file.
        encoding: Its encoding, in which a line feed is one byte.

    Raises, while it is read:
        InputError: The file cannot be read; or a line is not in that encoding or no JSON object.
    """

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        self._path, self._encoding = path, encoding

    def __iter__(self) -> Iterator[Record]:
        try:
            with self._path.open("rb") as file:
                yield from self._of(file, 0, 1)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror})") from None

    def between(self, first: int, end: int, line: int) -> Iterator[Record]:
        """Those between two places; the first of them stands in this line."""
        return self._of(io.BytesIO(self._mapped[first:end].tobytes()), first, line)

    @cached_property
    def _mapped(self) -> npt.NDArray[np.uint8]:
        return np.asarray(np.memmap(self._path, dtype=np.uint8, mode="r"))

    def _of(self, lines: Iterable[bytes], first: int, number: int) -> Iterator[Record]:
        for line, raw in enumerate(lines, start=number):
            end = first + len(raw)
            if not raw.isspace():
                yield Record(line, json_line(self._path, line, self._text(raw, line)), first, end)
            first = end

    def _text(self, raw: bytes, line: int) -> str:
        try:
            return (raw.removeprefix(_BOM) if line == 1 else raw).decode(self._encoding)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise InputError(
                f"{self._path}, line {line}: not {self._encoding.upper()} (byte {byte:#04x}); save the file as UTF-8, "
                "or give its encoding with --encoding"
            ) from None
