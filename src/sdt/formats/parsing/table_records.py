"""Repeated access to the records of a table: all of them in order, or a range between two positions.

JSON Lines files in UTF-8 are memory-mapped. CSV and Parquet files are in memory as a whole, because only their parser
finds the end of a record.
"""

from __future__ import annotations

import codecs
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text_detecting
from sdt.formats.parsing.json_records import json_line

_BLOCK_BYTES = 1 << 20


class Record(NamedTuple):
    """A record and its position."""

    line: int
    """The line in the file, from 1."""
    values: Mapping[str, object]
    first: int
    """The position of its start; see `Records.between`."""
    end: int
    """The position of its end."""


class Records(ABC):
    """The records of a file."""

    notes: Sequence[str] = ()
    """Notes on the encoding, one line each."""

    @abstractmethod
    def __iter__(self) -> Iterator[Record]: ...

    @abstractmethod
    def between(self, first: int, end: int, line: int) -> Iterator[Record]:
        """The records between two positions; the first record is on this line."""


class RowRecords(Records):
    """Rows of a table with named columns; positions are row numbers.

    Args:
        names: The names of the columns.
        rows: The line number and the values of each row.
        notes: See `Records`.
    """

    def __init__(
        self, names: Sequence[str], rows: Sequence[tuple[int, Sequence[object]]], notes: Sequence[str] = ()
    ) -> None:
        self._names, self._rows, self.notes = names, rows, notes

    def __iter__(self) -> Iterator[Record]:
        return self.between(0, len(self._rows), 0)

    def between(self, first: int, end: int, line: int) -> Iterator[Record]:  # noqa: ARG002 - a row knows its line
        """The records between two positions."""
        for index in range(first, end):
            number, values = self._rows[index]
            yield Record(number, dict(zip(self._names, values, strict=True)), index, index + 1)


class JsonRecords(Records):
    """The objects of non-blank lines; positions are byte offsets.

    Args:
        path: The file.
        encoding: The encoding; None detects it.

    Raises:
        InputError: The file cannot be read or is not text. During the iteration: a line is not a JSON object.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        self._decoded: bytes | None = None
        if encoding is not None or not _is_utf8(path):
            text, self.notes = read_text_detecting(path, encoding)
            self._decoded = text.encode("utf-8")

    def __iter__(self) -> Iterator[Record]:
        try:
            with self._path.open("rb") if self._decoded is None else io.BytesIO(self._decoded) as file:
                yield from self._of(file, 0, 1)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror})") from None

    def between(self, first: int, end: int, line: int) -> Iterator[Record]:
        """The records between two positions; the first record is on this line."""
        return self._of(io.BytesIO(self._content[first:end].tobytes()), first, line)

    @cached_property
    def _content(self) -> npt.NDArray[np.uint8]:
        if self._decoded is not None:
            return np.frombuffer(self._decoded, dtype=np.uint8)
        return np.asarray(np.memmap(self._path, dtype=np.uint8, mode="r"))

    def _of(self, lines: Iterable[bytes], first: int, number: int) -> Iterator[Record]:
        for line, raw in enumerate(lines, start=number):
            end = first + len(raw)
            if not raw.isspace():
                text = (raw.removeprefix(codecs.BOM_UTF8) if line == 1 else raw).decode("utf-8")
                yield Record(line, json_line(self._path, line, text), first, end)
            first = end


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                if "\0" in decoder.decode(block):
                    return False
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return True
