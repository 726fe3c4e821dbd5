"""A JSON array of utterances, with the keys of JSON Lines; see `sdt.formats.parsing.turn_records`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.format import Format
from sdt.formats.json_lines import RECORDS, json_objects
from sdt.formats.parsing.decoding import MAX_LINE, Decoded
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.transcript import Transcript, Turn


def read_document(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns of a JSON value.

    Args:
        path: The file, for error messages.
        value: The parsed JSON value.

    Returns:
        The turns, whose `line` is the number of the object, from 1; and notes for the user.

    Raises:
        InputError: The value has another structure, or an object has an invalid value.
    """
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        found = f"an object with {', '.join(map(repr, value))[:80]}" if isinstance(value, dict) else "no objects"
        raise InputError(
            f"{path}: unknown JSON structure ({found}); write one object {{...}} with text and speaker on each line"
        )
    turns, notes = read_records(path, list(enumerate(value, start=1)))
    if long := next((turn.line for turn in turns if len(turn.text or "") > MAX_LINE), None):
        raise InputError(f"{path}, object {long}: the text exceeds the limit of {MAX_LINE:,} characters")
    return turns, notes


def matches(decoded: Decoded) -> bool:
    """Whether the whole text is one JSON value."""
    value = decoded.document
    return isinstance(value, list) or (value is not None and "\n" in decoded.text.strip())


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """An array with an utterance a line."""
    before = "["
    for line in json_objects(transcript, path):
        yield f"{before}\n{line}"
        before = ","
    yield "\n]\n" if before == "," else "[]\n"


JSON_VALUE = Format(
    "json",
    (".json",),
    matches,
    certain=True,
    read=lambda path, decoded: read_document(path, decoded.document),
    write=write,
    title="JSON array of utterances",
    holds=RECORDS,
    step=0.001,
    whole=True,
)
