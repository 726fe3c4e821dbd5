"""JSON objects, one per line or in an array."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text


def json_lines(path: Path, *, encoding: str = "utf-8-sig") -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number and the object of each non-blank line.

    Raises:
        InputError: A line is not a JSON object.
    """
    for line, text in enumerate(read_text(path, encoding=encoding).split("\n"), start=1):
        if not text.strip():
            continue
        yield line, json_line(path, line, text)


def json_array(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the number, from 1, and each object of a JSON array; messages call the number a line.

    Raises:
        InputError: The text is not an array of objects.
    """
    try:
        elements = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); is the file truncated?") from None
    if not isinstance(elements, list):
        raise InputError(f"{path}: expected a JSON array of objects")
    for number, element in enumerate(elements, start=1):
        yield number, _object(path, number, element)


def json_line(path: Path, line: int, text: str) -> Mapping[str, object]:
    """Parse the object of a line.

    Raises:
        InputError: The line is not a JSON object.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {line}: not JSON ({error}); is the file truncated?") from None
    return _object(path, line, record)


def _object(path: Path, line: int, record: object) -> Mapping[str, object]:
    if not isinstance(record, dict):
        raise InputError(
            f"{path}, line {line}: expected an object {{...}} with keys such as conversation, speaker, text"
        )
    return record
