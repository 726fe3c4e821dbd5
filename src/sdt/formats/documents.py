"""Files that are one JSON value: what Whisper and whisper.cpp write, or a list of utterances.

| file                                                             | times                            |
|------------------------------------------------------------------|----------------------------------|
| Whisper, WhisperX: `{"segments": [{"start", "end", "text"}]}`    | seconds                          |
| whisper.cpp: `{"transcription": [{"offsets": {"from", "to"}, "text"}]}` | milliseconds              |
| a list of objects with the keys of JSON Lines                    | see `sdt.formats.tables`     |

A segment is an utterance; its `speaker`, where there is one, speaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.decoding import MAX_LINE
from sdt.formats.notices import without_sounds
from sdt.formats.tables import read_records
from sdt.formats.transcript import Turn

_SEGMENT = ("start", "end", "text", "speaker")


def read_document(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """The turns of a JSON value, and notes. Lines are numbers of segments or objects, from 1.

    Raises:
        InputError: The value is something else; or a segment's value is not what its key says.
    """
    if isinstance(value, dict) and "segments" in value and is_whisper(value):
        segments = [{key: one[key] for key in _SEGMENT if key in one} for one in value["segments"]]
        turns, notes = _segments(path, segments)
    elif isinstance(value, dict) and is_whisper(value):
        turns, notes = _segments(path, [_in_seconds(path, one) for one in value["transcription"]])
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        turns, notes = read_records(path, list(enumerate(value, start=1)))
    else:
        keys = ", ".join(map(repr, value))[:80] if isinstance(value, dict) else "no objects"
        raise InputError(
            f"{path}: is one JSON value (with {keys}); give one object {{...}} with text and speaker on each line"
        )
    if long := next((turn.line for turn in turns if len(turn.text or "") > MAX_LINE), None):
        raise InputError(
            f"{path}, object {long}: the text has more than {MAX_LINE:,} characters; no utterance has so many"
        )
    return turns, notes


def is_whisper(value: object) -> bool:
    """Whether Whisper, whisper.cpp or a program that writes the same made a JSON value."""
    return isinstance(value, dict) and (
        _segmented(value.get("segments"), {"start", "end", "text"})
        or _segmented(value.get("transcription"), {"offsets", "text"})
    )


def _segmented(segments: object, keys: set[str]) -> bool:
    return isinstance(segments, list) and all(isinstance(one, dict) and keys <= one.keys() for one in segments)


def _segments(path: Path, segments: Sequence[Mapping[str, object]]) -> tuple[list[Turn], list[str]]:
    turns, notes = read_records(path, list(enumerate(segments, start=1)))
    spoken, sounds = without_sounds([turn for turn in turns if turn.text])
    return spoken, notes + sounds


def _in_seconds(path: Path, segment: Mapping[str, object]) -> Mapping[str, object]:
    """A segment of whisper.cpp as one of Whisper."""
    offsets = segment["offsets"]
    start, end = (offsets.get(side) if isinstance(offsets, dict) else None for side in ("from", "to"))
    if not isinstance(start, int) or not isinstance(end, int):
        raise InputError(f"{path}: 'offsets' of a segment holds no milliseconds 'from' and 'to'")
    return {key: segment[key] for key in _SEGMENT if key in segment} | {"start": start / 1000, "end": end / 1000}
