"""JSON objects: one on each line, or all in one array."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.csv_lines import read_text


def json_lines(path: Path, *, encoding: str = "utf-8-sig") -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number and the object of each line that is not blank.

    Raises:
        InputError: A line is no JSON object.
    """
    for line, text in enumerate(read_text(path, encoding=encoding).split("\n"), start=1):
        if not text.strip():
            continue
        yield line, json_line(path, line, text)


def json_array(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number, from 1, and the object of each element of a JSON array; messages say `line` for the number.

    Raises:
        InputError: It is no array of objects.
    """
    try:
        elements = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); is the file cut off?") from None
    if not isinstance(elements, list):
        raise InputError(f"{path}: expected a JSON array of objects")
    for number, element in enumerate(elements, start=1):
        yield number, _object(path, number, element)


def json_line(path: Path, line: int, text: str) -> Mapping[str, object]:
    """The object of a line.

    Raises:
        InputError: It is no JSON object.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {line}: not JSON ({error}); is the file cut off?") from None
    return _object(path, line, record)


def _object(path: Path, line: int, record: object) -> Mapping[str, object]:
    if not isinstance(record, dict):
        raise InputError(
            f"{path}, line {line}: expected an object {{...}} with keys such as conversation, speaker, text"
        )
    return record
