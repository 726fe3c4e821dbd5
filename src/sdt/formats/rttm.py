"""RTTM (Rich Transcription Time Marked): who speaks when, a line for each turn, without words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from sdt.conversation import SpeakerTurn
from sdt.errors import InputError, quoted
from sdt.formats.cues import cue_times
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import every_line
from sdt.formats.transcript import Transcript, Turn
from sdt.text import decode, is_blank

MOST_TURNS = 200_000
"""Lines of an RTTM file; a day of talk has some 50,000 turns."""
MOST_BYTES = 2**26


def read_rttm(path: Path) -> dict[str, list[SpeakerTurn]]:
    """Read an RTTM file (Rich Transcription Time Marked): lines `SPEAKER file 1 start duration <NA> <NA> name ...`.

    Lines of other types are ignored.

    Returns:
        The name of each recording in the file, to its turns in order of time.

    Raises:
        InputError: The file cannot be read, or a line is not valid.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES // 2**20} MiB; no RTTM file is")
        text = decode(str(path), path.read_bytes()).text
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    found: dict[str, list[SpeakerTurn]] = {}
    for _, name, turn in _speaker_turns(path, text):
        found.setdefault(name, []).append(turn)
    return {name: sorted(turns, key=lambda turn: (turn.start, turn.end)) for name, turns in found.items()}


def _speaker_turns(path: Path, text: str) -> list[tuple[int, str, SpeakerTurn]]:
    """The line, the name of the recording, and the turn of each line of type SPEAKER."""
    found: list[tuple[int, str, SpeakerTurn]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        if number > MOST_TURNS:
            raise InputError(f"{path}: has more than {MOST_TURNS:,} lines; split it into one file for each recording")
        try:
            start, seconds, name = float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError):
            start = seconds = math.nan
        if not (math.isfinite(start) and math.isfinite(seconds) and start >= 0 and seconds >= 0):
            raise InputError(
                f"{path}, line {number}: {quoted(line[:80])} is not a speaker turn; expected 'SPEAKER name 1 start "
                "duration <NA> <NA> speaker <NA> <NA>' with times in seconds"
            )
        found.append((number, fields[1], SpeakerTurn(name, start, start + seconds)))
    if not found:
        raise InputError(f"{path}: no line begins with SPEAKER; is this an RTTM file?")
    return found


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """The turns of a file as utterances without text, in order of time; each recording is a conversation."""
    turns = [
        Turn(line, None, turn.speaker, round(turn.start, 6), round(turn.end, 6), conversation=name)
        for line, name, turn in _speaker_turns(path, decoded.text)
    ]
    return sorted(turns, key=lambda turn: turn.start or 0.0), []


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The turns of the recording if they are known, or else those of the utterances."""
    turns = [
        SpeakerTurn(one.speaker, start / 1000, end / 1000) for start, end, one, _ in cue_times(transcript, path, "RTTM")
    ]
    for conversation in transcript.conversations:
        yield from rttm_lines(conversation.id, transcript.turns or turns)


def rttm_lines(name: str, turns: Iterable[SpeakerTurn]) -> Iterator[str]:
    """The lines of the turns of a recording, times in milliseconds; white space in names becomes `_`."""
    for turn in turns:
        yield (
            f"SPEAKER {_field(name)} 1 {turn.start:.3f} {turn.seconds:.3f} <NA> <NA> {_field(turn.speaker)} <NA> <NA>\n"
        )


def _field(text: str) -> str:
    return "unknown" if is_blank(text) else "_".join(text.split())


RTTM = Format(
    "rttm",
    (".rttm",),
    every_line(r"(?:SPEAKER|SPKR-INFO|LEXEME|NON-LEX|SEGMENT|NOSCORE|SU)(?:\s+\S+){6,9}", comments=";;"),
    certain=True,
    exclusive=True,
    read=read,
    write=write,
    title="RTTM, speaker turns",
    holds=Holds.SPEAKERS | Holds.TIMES | Holds.OVERLAPS | Holds.TIES,
    step=0.001,
)
