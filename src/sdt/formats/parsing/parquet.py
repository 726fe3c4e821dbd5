"""Reader of Parquet files; requires pyarrow, which the extra `parquet` installs."""

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
"""Limits on the values of a file, of which the larger applies. A repeated value takes no space in the file."""


def read_names(path: Path) -> list[str]:
    """Read the column names of a file.

    Raises:
        InputError: See `read_columns`.
    """
    with _reading(path):
        return [str(name) for name in _open(path).schema_arrow.names]


def read_columns(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Read a file as a `pyarrow.Table`.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        InputError: The file cannot be read, is not Parquet, or has far more values than its size allows.
    """
    with _reading(path):
        file = _open(path)
        # Opens all columns and reads nothing. `metadata.column` would end the process for a damaged column.
        next(file.reader.iter_batches(0, list(range(file.num_row_groups))), None)
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        cells = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
        limit = max(_CELLS, _CELLS_PER_BYTE * path.stat().st_size)
        if cells > limit:
            raise InputError(
                f"{path}: {cells:,} values exceed the limit of {limit:,} for a file of {path.stat().st_size:,} bytes; "
                "is it damaged?"
            )
        table = file.read()
        table.validate(full=True)  # such as text that is not UTF-8
        return table


def read_rows(path: Path) -> tuple[list[str], list[list[object]]]:
    """Read the column names and the values of each row: strings, numbers or None.

    Raises:
        InputError: See `read_columns`.
    """
    table = read_columns(path)
    columns = [map(_json_value, column.to_pylist()) for column in table.columns]
    return [str(name) for name in table.column_names], [list(row) for row in zip(*columns, strict=True)]


def _open(path: Path) -> Any:  # noqa: ANN401
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError(
            f"{path}: reading Parquet files requires pyarrow; install it with: pip install 'sdt-erc[parquet]'"
        ) from None
    return parquet.ParquetFile(path, memory_map=True)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, NotImplementedError) as error:  # the base classes of pyarrow's errors
        raise InputError(
            f"{path}: cannot be read as Parquet, damaged or truncated ({type(error).__name__}: {quoted(str(error))})"
        ) from None


def _json_value(value: object) -> object:
    """Convert a value to a JSON type; a duration becomes seconds."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, decimal.Decimal) else str(value)
