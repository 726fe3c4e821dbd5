"""The times of the cues of subtitles, and what all subtitles hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdt.conversation import Prediction, Utterance
from sdt.errors import InputError, quoted
from sdt.formats.format import DEFAULT_SECONDS, Holds
from sdt.formats.transcript import Transcript

CUES = (
    Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.TIMES | Holds.OVERLAPS | Holds.TIES | Holds.LABELS
    | Holds.REVIEWS | Holds.PREDICTIONS
)  # fmt: skip
"""What subtitles with speakers and marks of emotions hold."""


def cue_times(
    transcript: Transcript, path: Path | None, name: str
) -> Iterator[tuple[int, int, Utterance, Prediction | None]]:
    """The utterances with their start and end in milliseconds; none has the length 0.

    Args:
        transcript: One conversation.
        path: The file, for error messages; None for the standard output.
        name: The name of the format, for error messages.

    Raises:
        InputError: There are several conversations, or an utterance has no time.
    """
    for start, end, utterance, prediction in timed_rows(transcript, path, name):
        first = round(1000 * start)
        yield first, max(round(1000 * end), first + 1), utterance, prediction


def timed_rows(
    transcript: Transcript, path: Path | None, name: str
) -> Iterator[tuple[float, float, Utterance, Prediction | None]]:
    """The utterances with their start and end in seconds; see `cue_times`."""
    require_times(transcript, path, name)
    for _, utterance, prediction in transcript.rows():
        assert utterance.start is not None
        end = utterance.start + DEFAULT_SECONDS if utterance.end is None else utterance.end
        yield utterance.start, end, utterance, prediction


def require_times(transcript: Transcript, path: Path | None, name: str) -> None:
    """Refuse several conversations, and utterances without times; see `cue_times`."""
    where = "-" if path is None else str(path)
    if len({conversation.id for conversation, _, _ in transcript.rows()}) > 1:
        raise InputError(f"{where}: {name} files have one conversation each, but there are several; write jsonl or csv")
    untimed = next((utterance for _, utterance, _ in transcript.rows() if utterance.start is None), None)
    if untimed is not None:
        raise InputError(
            f"{where}: utterance {quoted(untimed.id)} has no time, which {name} requires; write jsonl or csv"
        )


def timestamp(milliseconds: int, separator: str) -> str:
    """A time as `HH:MM:SS.mmm`, with this separator before the milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{separator}{rest:03}"
