"""Reader of files that are one JSON value: the output of Whisper and whisper.cpp, or a list of utterances.

| file                                                             | times                            |
|------------------------------------------------------------------|----------------------------------|
| Whisper, WhisperX: `{"segments": [{"start", "end", "text"}]}`    | seconds                          |
| whisper.cpp: `{"transcription": [{"offsets": {"from", "to"}, "text"}]}` | milliseconds              |
| a list of objects with the keys of JSON Lines                    | see `sdt.formats.parsing.turn_records`     |

Each segment is one utterance. Its `speaker` is optional.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.format import Format
from sdt.formats.json_lines import RECORDS, json_objects
from sdt.formats.parsing.decoding import MAX_LINE, Decoded
from sdt.formats.parsing.notices import remove_sounds
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.transcript import Transcript, Turn

_SEGMENT = ("start", "end", "text", "speaker")


def read_document(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns of a JSON value.

    Args:
        path: The file, for error messages.
        value: The parsed JSON value.

    Returns:
        The turns, whose `line` is the number of the segment or object, from 1; and notes for the user.

    Raises:
        InputError: The value has another structure, or a segment has an invalid value.
    """
    if isinstance(value, dict) and "segments" in value and is_whisper(value):
        segments = [{key: one[key] for key in _SEGMENT if key in one} for one in value["segments"]]
        turns, notes = _segments(path, segments)
    elif isinstance(value, dict) and is_whisper(value):
        turns, notes = _segments(path, [_in_seconds(path, one) for one in value["transcription"]])
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        turns, notes = read_records(path, list(enumerate(value, start=1)))
    else:
        found = f"an object with {', '.join(map(repr, value))[:80]}" if isinstance(value, dict) else "no objects"
        raise InputError(
            f"{path}: unknown JSON structure ({found}); write one object {{...}} with text and speaker on each line"
        )
    if long := next((turn.line for turn in turns if len(turn.text or "") > MAX_LINE), None):
        raise InputError(f"{path}, object {long}: the text exceeds the limit of {MAX_LINE:,} characters")
    return turns, notes


def is_whisper(value: object) -> bool:
    """Whether a JSON value has the structure that Whisper or whisper.cpp writes."""
    return isinstance(value, dict) and (
        _segmented(value.get("segments"), {"start", "end", "text"})
        or _segmented(value.get("transcription"), {"offsets", "text"})
    )


def _segmented(segments: object, keys: set[str]) -> bool:
    return isinstance(segments, list) and all(isinstance(one, dict) and keys <= one.keys() for one in segments)


def _segments(path: Path, segments: Sequence[Mapping[str, object]]) -> tuple[list[Turn], list[str]]:
    turns, notes = read_records(path, list(enumerate(segments, start=1)))
    spoken, sounds = remove_sounds([turn for turn in turns if turn.text])
    return spoken, notes + sounds


def _in_seconds(path: Path, segment: Mapping[str, object]) -> Mapping[str, object]:
    """Convert a segment of whisper.cpp to one of Whisper."""
    offsets = segment["offsets"]
    start, end = (offsets.get(side) if isinstance(offsets, dict) else None for side in ("from", "to"))
    if not isinstance(start, int) or not isinstance(end, int):
        raise InputError(f"{path}: 'offsets' of a segment must contain 'from' and 'to' in milliseconds")
    return {key: segment[key] for key in _SEGMENT if key in segment} | {"start": start / 1000, "end": end / 1000}


def matches(decoded: Decoded) -> bool:
    """Whether the whole text is one JSON value."""
    value = decoded.document
    return isinstance(value, list) or is_whisper(value) or (value is not None and "\n" in decoded.text.strip())


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
    title="JSON array of utterances; Whisper's JSON",
    holds=RECORDS,
    step=0.001,
    whole=True,
)
