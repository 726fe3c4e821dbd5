"""Names that a user gives to speakers: whom they can belong to, before and after a transcription."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sdt.errors import InputError
from sdt.media.blocks import audio_blocks
from sdt.media.clip import MediaProblem
from sdt.speech.given import Given
from sdt.speech.turns import speaker_name


def check_names(
    names: Mapping[str, str], sources: Sequence[tuple[Path, Given | None]], *, by_channel: bool, most: int | None
) -> None:
    """Check before the work that each name can belong to a speaker of a recording.

    Args:
        names: The speaker to what replaces it.
        sources: The recordings, and what is known of them.
        by_channel: Whether each channel is a speaker.
        most: How many speakers are found at most; None if it is not known.

    Raises:
        InputError: A name cannot belong to any speaker, or the channels of a recording cannot be read.
    """
    if not names:
        return
    known = [_channels(path) if by_channel else given.speakers if given else set() for path, given in sources]
    by_voice = not all(known)
    pattern = re.compile(r"SPEAKER_(\d\d+)")
    for speaker, name in names.items():
        number = pattern.fullmatch(speaker)
        if any(speaker in of for of in known) or (by_voice and number and int(number[1]) < (most or 10**9)):
            continue
        listed = f"{speaker_name(0)}, {speaker_name(1)}, ..." if most is None else f"up to {speaker_name(most - 1)}"
        raise InputError(
            f"--names {speaker}={name}: unknown speaker; speakers are "
            + (
                f"called {listed} in the order in which they begin to speak"
                if by_voice
                else _listed(set().union(*known))
            )
        )


def unknown_names_note(names: Mapping[str, str], speakers: Iterable[str]) -> list[str]:
    """A note on the names that belong to no speaker of a transcript, if there are any."""
    found = set(speakers)
    unknown = [f"{speaker}={name}" for speaker, name in names.items() if speaker not in found]
    return [f"--names {', '.join(unknown)}: unknown speaker; found: {_listed(found)}"] if unknown else []


def _listed(speakers: set[str]) -> str:
    return ", ".join(sorted(speakers)) or "none"


def _channels(path: Path) -> set[str]:
    """The speakers of a recording, one in each channel."""
    try:
        return {speaker_name(channel) for channel in range(len(next(audio_blocks(path, 1.0)).samples))}
    except MediaProblem as problem:
        raise InputError(f"{path}: {problem.reason}") from None
