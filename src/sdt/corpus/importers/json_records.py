"""JSON objects: one on each line, or all in one array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdt.corpus.importers.csv_lines import read_text
from sdt.errors import InputError

_OPENING, _FOLLOWING = re.compile(r"\s*\[\s*(\]?)"), re.compile(r"\s*(?:,\s*|(\]))")
"""What stands before the first element of an array, and between two; the group is its end."""


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
    """Yield the line and the object of each element of a JSON array.

    Raises:
        InputError: It is no array of objects.
    """
    decoder = json.JSONDecoder()
    line, place, separator = 1, 0, _OPENING
    while True:
        found = separator.match(text, place)
        end = found.end() if found else place
        line, place = line + text.count("\n", place, end), end
        if not found:
            raise InputError(f"{path}, line {line}: not a JSON array of objects; is the file cut off?")
        if found[1]:
            break
        try:
            record, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {line}: not JSON ({error}); is the file cut off?") from None
        yield line, _object(path, line, record)
        line, place, separator = line + text.count("\n", place, end), end, _FOLLOWING
    if text[place:].strip():
        raise InputError(f"{path}, line {line}: something stands after the end of the JSON array; remove it")


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
