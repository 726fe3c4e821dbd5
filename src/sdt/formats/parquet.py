"""Parquet files, through pyarrow where it is installed."""

from __future__ import annotations

import contextlib
import datetime
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdt.errors import InputError, MissingDependencyError, quoted

SUFFIXES = (".parquet", ".pq")
_CELLS, _CELLS_PER_BYTE = 50_000_000, 40
"""A file may hold as many values as either allows; a column of one value again and again takes no room."""


def read_names(path: Path) -> list[str]:
    """The names of a file's columns.

    Raises:
        InputError: See `read_columns`.
    """
    with _reading(path):
        return [str(name) for name in _open(path).schema_arrow.names]


def read_columns(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """The table of a file, a `pyarrow.Table`.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        InputError: The file cannot be read, is no Parquet file, or holds far more values than its size suggests.
    """
    with _reading(path):
        file = _open(path)
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        cells = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
        if cells > max(_CELLS, _CELLS_PER_BYTE * path.stat().st_size):
            raise InputError(f"{path}: {cells:,} values in {path.stat().st_size:,} bytes are too many; is it damaged?")
        return file.read()


def read_rows(path: Path) -> tuple[list[str], list[list[object]]]:
    """The names of the columns, and the values of each row: text, numbers, None.

    Raises:
        InputError: See `read_columns`.
    """
    table = read_columns(path)
    columns = [map(_plain, column.to_pylist()) for column in table.columns]
    return [str(name) for name in table.column_names], [list(row) for row in zip(*columns, strict=True)]


def _open(path: Path) -> Any:  # noqa: ANN401
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError(
            f"{path}: Parquet files are read by pyarrow; install it with: pip install 'sdt-erc[parquet]'"
        ) from None
    return parquet.ParquetFile(path, memory_map=True)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's own are of these kinds
        raise InputError(
            f"{path}: cannot be read as Parquet, damaged or cut off ({type(error).__name__}: {quoted(str(error))})"
        ) from None


def _plain(value: object) -> object:
    """A value as JSON would have it; a duration in seconds."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, decimal.Decimal) else str(value)
