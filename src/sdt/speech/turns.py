"""Speaker turns: who speaks when, as a diarization gives it, and as RTTM files hold it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sdt.errors import InputError, quoted
from sdt.text import decode, is_blank

MOST_TURNS = 200_000
"""Lines of an RTTM file; a day of talk has some 50,000 turns."""


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch of time in which one speaker speaks without a longer pause; turns of several speakers can overlap."""

    speaker: str
    start: float
    """Seconds from the start of the recording."""
    end: float
    """Seconds from the start of the recording."""

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.end - self.start

    def overlap(self, start: float, end: float) -> float:
        """The seconds that this turn and a time range have in common."""
        return max(0.0, min(self.end, end) - max(self.start, start))


def speaker_name(number: int) -> str:
    """The name of a speaker that a diarization has found.

    Example:
        >>> speaker_name(0)
        'SPEAKER_00'
    """
    return f"SPEAKER_{number:02}"


def renamed(turns: Iterable[SpeakerTurn]) -> list[SpeakerTurn]:
    """The turns in order of time, with the speakers numbered in the order in which they begin to speak."""
    ordered = sorted(turns, key=lambda turn: (turn.start, turn.end))
    names = {name: speaker_name(number) for number, name in enumerate(dict.fromkeys(turn.speaker for turn in ordered))}
    return [SpeakerTurn(names[turn.speaker], turn.start, turn.end) for turn in ordered]


def joined(turns: Iterable[SpeakerTurn], gap: float) -> list[SpeakerTurn]:
    """Join turns of a speaker that are at most `gap` seconds apart; in order of time."""
    last: dict[str, SpeakerTurn] = {}
    found: list[SpeakerTurn] = []
    for turn in sorted(turns, key=lambda turn: turn.start):
        before = last.get(turn.speaker)
        if before is not None and turn.start - before.end <= gap:
            last[turn.speaker] = SpeakerTurn(turn.speaker, before.start, max(before.end, turn.end))
            continue
        if before is not None:
            found.append(before)
        last[turn.speaker] = turn
    return sorted([*found, *last.values()], key=lambda turn: (turn.start, turn.end))


def overlapped(turns: Sequence[SpeakerTurn]) -> list[tuple[float, float]]:
    """The time ranges (start, end) in seconds in which several speakers speak, in order."""
    edges = sorted([(turn.start, 1) for turn in turns] + [(turn.end, -1) for turn in turns])
    found: list[tuple[float, float]] = []
    count, since = 0, 0.0
    for time, step in edges:
        if count >= 2 and time > since:
            if found and found[-1][1] == since:
                found[-1] = (found[-1][0], time)
            else:
                found.append((since, time))
        count, since = count + step, time
    return found


def read_rttm(path: Path) -> dict[str, list[SpeakerTurn]]:
    """Read an RTTM file (Rich Transcription Time Marked): lines `SPEAKER file 1 start duration <NA> <NA> name ...`.

    Lines of other types are ignored.

    Returns:
        The name of each recording in the file, to its turns in order of time.

    Raises:
        InputError: The file cannot be read, or a line is not valid.
    """
    try:
        text = decode(str(path), path.read_bytes()).text
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    found: dict[str, list[SpeakerTurn]] = {}
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
        found.setdefault(fields[1], []).append(SpeakerTurn(name, start, start + seconds))
    if not found:
        raise InputError(f"{path}: no line begins with SPEAKER; is this an RTTM file?")
    return {name: sorted(turns, key=lambda turn: (turn.start, turn.end)) for name, turns in found.items()}


def write_rttm(name: str, turns: Iterable[SpeakerTurn], file: TextIO) -> None:
    """Write the turns of a recording as RTTM, times in milliseconds; white space in names becomes `_`."""
    for turn in turns:
        file.write(
            f"SPEAKER {_field(name)} 1 {turn.start:.3f} {turn.seconds:.3f} <NA> <NA> {_field(turn.speaker)} <NA> <NA>\n"
        )


def _field(text: str) -> str:
    return "unknown" if is_blank(text) else "_".join(text.split())


def check_names(names: Mapping[str, str], speakers: Iterable[str]) -> None:
    """Check that names are given to speakers that exist.

    Raises:
        InputError: A speaker was not found; lists those that were.
    """
    known = sorted(set(speakers))
    for name in names:
        if name not in known:
            raise InputError(f"--names {name}={names[name]}: no such speaker; found: {', '.join(known) or 'none'}")
