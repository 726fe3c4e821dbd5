"""JSON Lines: an utterance a line, with all that a transcript has except layers of annotation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.turn_records import read_json_lines
from sdt.formats.records import transcript_records
from sdt.formats.transcript import Transcript, Turn

RECORDS = ~(Holds.OPEN_ENDS | Holds.TIERS | Holds.POINTS | Holds.MEDIA | Holds.CONVERSATION_EXTRA)
"""What JSON objects of utterances hold. An utterance without an end lasts until the next one, when it is read."""


def matches(decoded: Decoded) -> bool:
    """Whether the text begins with an object, or a list of objects."""
    return re.match(r"\{\s*[\"}]|\[\s*\{", decoded.text.lstrip()) is not None


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns of a file; see `sdt.formats.parsing.turn_records`."""
    return read_json_lines(path, decoded.encoding)


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The lines of a file."""
    return (f"{line}\n" for line in json_objects(transcript, path))


def json_objects(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The objects of the utterances, each on one line."""
    return (json.dumps(record, ensure_ascii=False) for record in transcript_records(transcript, path))


JSON_LINES = Format(
    "jsonl",
    (".jsonl", ".ndjson"),
    matches,
    read=read,
    write=write,
    title="JSON Lines",
    holds=RECORDS,
    step=0.001,
    primary=True,
)
