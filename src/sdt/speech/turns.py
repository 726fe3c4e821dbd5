"""Operations on speaker turns: numbering, joining, overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdt.conversation import SpeakerTurn


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
