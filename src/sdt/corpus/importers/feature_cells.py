"""Tables with columns, CSV and its like, and Parquet; what is no feature is left out, see `feature_columns`."""

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
    counting_columns,
    is_header,
    is_out_of_order,
    is_shuffled,
    sort_columns,
)
from sdt.errors import InputError, printable, quoted
from sdt.formats import parquet
from sdt.formats.csv_lines import Line, is_number, parse_number, read_csv


def read_cells(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        InputError: See `read_csv`; or there is no column of features, the key cannot be told, or a feature is no
            number.
    """
    table = read_csv(path)
    comma = table.delimiter != ","
    first, *lines = table.lines
    named = is_header(first.cells, [line.cells for line in lines], comma=comma)
    if not named:
        lines = table.lines
    elif not lines:
        raise InputError(f"{path}: a header, but no rows")
    names = [cell.strip() for cell in first.cells] if named else []
    numeric = header = ""
    if named and all(map(is_number, names)):
        listed = [name for name in names if name]
        header = ", ".join(listed[:4]) + (", ..." if len(listed) > 4 else "")
        numeric = f"{path}, line {first.number}: taken for a header: {header}"
    columns = sort_columns(
        names or [f"column {place + 1}" for place in range(len(first.cells))],
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
        lambda place: [line.cells[place].strip() for line in lines],
        tuple(f"line {line.number}" for line in lines),
        (*table.notes, *([numeric] if numeric else [])),
        header,
    )


def read_parquet_cells(path: Path) -> Table:
    """Read a Parquet file: a column for each feature, or one of lists that are the vectors.

    Raises:
        InputError: See `parquet.read_columns` and `read_cells`.
    """
    table = parquet.read_columns(path)
    import pyarrow as pa  # there, since the file was read

    names = [str(name) for name in table.column_names]
    if not table.num_rows:
        raise InputError(f"{path}: no rows")
    types = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    lists = [pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t) for t in types]
    numbers = [
        pa.types.is_floating(t) or pa.types.is_integer(t) or pa.types.is_boolean(t) or pa.types.is_decimal(t)
        for t in types
    ]
    columns = sort_columns(names, [not number and not vector for number, vector in zip(numbers, lists, strict=True)])
    _check_columns(path, columns, names)

    def texts(place: int) -> list[str]:
        return ["" if value is None else str(value).strip() for value in table.column(place).to_pylist()]

    try:
        if any(lists[place] for place in columns.values):
            if len(columns.values) > 1:
                found = ", ".join(quoted(names[place]) for place in columns.values[:4])
                raise InputError(f"{path}: a column of vectors and others beside it ({found}); keep one of them")
            x = _vectors(path, names[columns.values[0]], table.column(columns.values[0]).to_pylist())
        else:
            x = np.stack([table.column(p).cast(pa.float64()).to_numpy() for p in columns.values], axis=1)
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: holds something other than numbers ({' '.join(str(error).split())[:80]})") from None
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
    for place, row in enumerate(rows, start=1):
        if row is not None and len(row) != width:
            raise InputError(f"{path}, row {place}: {quoted(name)} holds {len(row)} numbers, but {width} further up")
    return np.array([np.full(width, np.nan) if row is None else row for row in rows], dtype=np.float64)


def _check_columns(path: Path, columns: Columns, names: Sequence[str]) -> None:
    if columns.unknown:
        found = ", ".join(quoted(names[place]) for place in columns.unknown[:4])
        raise InputError(
            f"{path}: {len(columns.unknown)} columns are not numbers ({found}); a table of features has one column of "
            "keys, or 'conversation' and 'utterance', or only numbers"
        )
    if not columns.values:
        raise InputError(f"{path}: no column of numbers that are features")


def _table(
    path: Path,
    columns: Columns,
    names: Sequence[str],
    x: npt.NDArray[np.float64],
    texts: Callable[[int], list[str]],
    places: tuple[str, ...],
    notes: tuple[str, ...],
    header: str,
) -> Table:
    """What is left when columns that number the rows are left out, too.

    Args:
        path: The file.
        columns: What its columns are.
        names: Their names; empty where they have none.
        x: The columns of numbers that may be features, [rows, D].
        texts: Gives the cells of a column.
        places: See `Table`.
        notes: Likewise.
        header: Likewise.
    """
    named = bool(names) and len(columns.values) == x.shape[1]  # not so where one column holds vectors
    called = [names[place] if named else f"column {place + 1}" for place in columns.values]
    counting = counting_columns(x) if len(called) == x.shape[1] else []
    kept = [place for place in range(x.shape[1]) if place not in counting]
    if not kept:
        raise InputError(f"{path}: no column of features: {quoted(called[0])} numbers the rows")
    without = [names[place] or "the one without a name" for place in columns.left_out if names]
    without += [f"{called[place]} (numbers the rows)" for place in counting]
    if without:
        more = f" and {len(without) - 12} more" if len(without) > 12 else ""
        listed = printable(", ".join(name[:80] for name in without[:12]))
        notes = (*notes, f"{path}: columns left out, since they are no features: {listed}{more}")
    shuffled = [called[place] for place in counting if is_shuffled(x[:, place])]
    shuffled += [names[place] for place in columns.index if is_out_of_order(np.array(list(map(_order, texts(place)))))]
    keys = [texts(place) for place in columns.keys]
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such later
        features = x[:, kept].astype(np.float32)
    return Table(
        path,
        features,
        tuple("/".join(parts) for parts in zip(*keys, strict=True)) if keys else None,
        places,
        tuple(called[place] for place in kept) if named else (),
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
    commas = next((line for line in lines if any("," in line.cells[place] for place in columns)), None)
    points = next((line for line in lines if any("." in line.cells[place] for place in columns)), None)
    if commas and points:
        raise InputError(
            f"{path}: decimal commas (line {commas.number}) and points (line {points.number}) in one table; write one "
            "of them, and no separators of thousands"
        )
