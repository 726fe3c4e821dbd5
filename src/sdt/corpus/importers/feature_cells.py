"""Readers of feature tables in CSV and Parquet; columns that are not features are ignored, see `feature_columns`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.corpus.importers.alignment import Table
from sdt.corpus.importers.feature_columns import (
    Columns,
    classify_columns,
    find_row_numbers,
    is_header,
    is_out_of_order,
    is_shuffled,
)
from sdt.errors import InputError, printable, quoted
from sdt.formats.parsing import parquet
from sdt.formats.parsing.csv_lines import Line, is_number, parse_number, read_csv


def read_cells(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        InputError: The file is damaged (see `read_csv`), has no column of features, has several columns that can be
            keys, or has a feature that is not a number.
    """
    table = read_csv(path)
    comma = table.delimiter != ","
    first, *lines = table.lines
    named = is_header(first.cells, [line.cells for line in lines], comma=comma)
    if not named:
        lines = table.lines
    elif not lines:
        raise InputError(f"{path}: the table has a header, but no rows")
    names = [cell.strip() for cell in first.cells] if named else []
    numeric = header = ""
    if named and all(map(is_number, names)):
        listed = [name for name in names if name]
        header = ", ".join(listed[:4]) + (", ..." if len(listed) > 4 else "")
        numeric = f"{path}, line {first.number}: read as a header: {header}"
    columns = classify_columns(
        names or [f"column {position + 1}" for position in range(len(first.cells))],
        [not is_number(cell, comma=comma) for cell in lines[0].cells],
    )
    _check_columns(path, columns, names or lines[0].cells)
    x = np.array([_numbers(path, line, columns.values, comma) for line in lines], dtype=np.float64)
    if comma:
        _check_decimals(path, lines, columns.values)
    return _table(
        path,
        columns,
        names,
        x,
        lambda position: [line.cells[position].strip() for line in lines],
        tuple(f"line {line.number}" for line in lines),
        (*table.notes, *([numeric] if numeric else [])),
        header,
    )


def read_parquet_cells(path: Path) -> Table:
    """Read a Parquet file, with one column per feature or one column of vectors.

    Raises:
        InputError: See `parquet.read_columns` and `read_cells`.
    """
    table = parquet.read_columns(path)
    import pyarrow as pa  # installed, because the file was read

    names = [str(name) for name in table.column_names]
    if not table.num_rows:
        raise InputError(f"{path}: the table has no rows")
    types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    lists = [pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t) for t in types]
    numbers = [
        pa.types.is_floating(t) or pa.types.is_integer(t) or pa.types.is_boolean(t) or pa.types.is_decimal(t)
        for t in types
    ]
    columns = classify_columns(
        names, [not number and not vector for number, vector in zip(numbers, lists, strict=True)]
    )
    _check_columns(path, columns, names)

    def texts(position: int) -> list[str]:
        return ["" if value is None else str(value).strip() for value in table.column(position).to_pylist()]

    try:
        if any(lists[position] for position in columns.values):
            if len(columns.values) > 1:
                found = ", ".join(quoted(names[position]) for position in columns.values[:4])
                raise InputError(f"{path}: several columns, of which one has vectors ({found}); keep one of them")
            x = _vectors(path, names[columns.values[0]], table.column(columns.values[0]).to_pylist())
        else:
            x = np.stack([table.column(p).cast(pa.float64()).to_numpy() for p in columns.values], axis=1)
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: a value is not a number ({' '.join(str(error).split())[:80]})") from None
    return _table(
        path,
        columns,
        names,
        x,
        texts,
        tuple(f"row {row}" for row in range(1, table.num_rows + 1)),
        (),
        "",
    )


def _vectors(path: Path, name: str, rows: Sequence[Any]) -> npt.NDArray[np.float64]:
    width = next((len(row) for row in rows if row is not None), 0)
    for position, row in enumerate(rows, start=1):
        if row is not None and len(row) != width:
            raise InputError(
                f"{path}, row {position}: {quoted(name)} has {len(row)} numbers, but {width} in previous rows"
            )
    return np.array([np.full(width, np.nan) if row is None else row for row in rows], dtype=np.float64)


def _check_columns(path: Path, columns: Columns, names: Sequence[str]) -> None:
    if columns.unknown:
        found = ", ".join(quoted(names[position]) for position in columns.unknown[:4])
        raise InputError(
            f"{path}: {len(columns.unknown)} columns are not numbers ({found}); a table of features has one column of "
            "keys, or 'conversation' and 'utterance', or only numbers"
        )
    if not columns.values:
        raise InputError(f"{path}: the table has no column of features")


def _table(
    path: Path,
    columns: Columns,
    names: Sequence[str],
    x: npt.NDArray[np.float64],
    texts: Callable[[int], list[str]],
    locations: tuple[str, ...],
    notes: tuple[str, ...],
    header: str,
) -> Table:
    """Make the table, without columns of row numbers.

    Args:
        path: The file.
        columns: The kinds of its columns.
        names: The names of the columns; empty if they have none.
        x: The columns of numbers that can be features, [rows, D].
        texts: Returns the cells of a column.
        locations: See `Table`.
        notes: See `Table`.
        header: See `Table`.
    """
    named = bool(names) and len(columns.values) == x.shape[1]  # False for one column of vectors
    titles = [names[position] if named else f"column {position + 1}" for position in columns.values]
    counting = find_row_numbers(x) if len(titles) == x.shape[1] else []
    kept = [position for position in range(x.shape[1]) if position not in counting]
    if not kept:
        raise InputError(f"{path}: the table has no column of features: {quoted(titles[0])} numbers the rows")
    ignored = [names[position] or "a column without a name" for position in columns.ignored if names]
    ignored += [f"{titles[position]} (row numbers)" for position in counting]
    if ignored:
        more = f" and {len(ignored) - 12} more" if len(ignored) > 12 else ""
        listed = printable(", ".join(name[:80] for name in ignored[:12]))
        notes = (*notes, f"{path}: columns ignored because they are not features: {listed}{more}")
    shuffled = [titles[position] for position in counting if is_shuffled(x[:, position])]
    shuffled += [
        names[position] for position in columns.index if is_out_of_order(np.array(list(map(_order, texts(position)))))
    ]
    keys = [texts(position) for position in columns.keys]
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are refused later
        features = x[:, kept].astype(np.float32)
    return Table(
        path,
        features,
        tuple("/".join(parts) for parts in zip(*keys, strict=True)) if keys else None,
        locations,
        tuple(titles[position] for position in kept) if named else (),
        ids=None if columns.ids is None else tuple(texts(columns.ids)),
        shuffled=quoted(shuffled[0]) if shuffled else "",
        header=header,
        notes=notes,
    )


def _order(cell: str) -> float:
    return parse_number(cell) if is_number(cell) else math.nan


def _numbers(path: Path, line: Line, columns: Sequence[int], comma: bool) -> list[float]:
    try:
        return [parse_number(line.cells[column], comma=comma) for column in columns]
    except ValueError:
        column = next(column for column in columns if not is_number(line.cells[column], comma=comma))
        raise InputError(
            f"{path}, line {line.number}, column {column + 1}: {quoted(line.cells[column])} is not a number"
        ) from None


def _check_decimals(path: Path, lines: Sequence[Line], columns: Sequence[int]) -> None:
    """Refuse a table with decimal commas and points: one of the two separates thousands."""
    commas = next((line for line in lines if any("," in line.cells[position] for position in columns)), None)
    points = next((line for line in lines if any("." in line.cells[position] for position in columns)), None)
    if commas and points:
        raise InputError(
            f"{path}: decimal commas (line {commas.number}) and points (line {points.number}) in one table; use one "
            "decimal separator and no thousands separators"
        )
