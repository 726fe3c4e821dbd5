"""What other tools found out about a recording: speaker turns, or words with times and speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdt.conversation import SpeakerTurn, Utterance, Word
from sdt.errors import InputError, join_names
from sdt.formats.parsing.decoding import decode
from sdt.formats.parsing.words import read_words
from sdt.formats.rttm import read_rttm
from sdt.formats.whisper import is_whisper, read_whisper


@dataclass(frozen=True)
class Given:
    """Work that is not done again; what is None or empty was not given."""

    turns: Sequence[SpeakerTurn] | None = None
    """Who speaks when."""
    words: Sequence[tuple[str | None, Word]] = ()
    """(speaker, word) in order of time; the speaker is None if the tool did not tell speakers apart."""
    utterances: Sequence[Utterance] = ()
    """Utterances of a tool that gives no times of words; the speaker is empty if it did not tell speakers apart."""

    @property
    def speakers(self) -> set[str]:
        """The speakers, if they were told apart everywhere; or else none."""
        found = {turn.speaker for turn in self.turns or ()}
        found |= {speaker or "" for speaker, _ in self.words} | {utterance.speaker for utterance in self.utterances}
        return set() if "" in found else found


def read_given(path: Path, recording: Path) -> Given:
    """Read `--turns`: an RTTM file, or the JSON of Whisper, faster-whisper or WhisperX.

    Args:
        path: The file.
        recording: The recording; an RTTM file of several recordings names it without its suffix.

    Raises:
        InputError: The file cannot be used; names the line or the segment.
    """
    if path.suffix.lower() != ".json":
        turns = read_rttm(path)
        if len(turns) > 1 and recording.stem not in turns:
            raise InputError(
                f"{path}: has turns of {join_names(list(turns))}, but none of {recording.stem}; rename the recording "
                "or the turns"
            )
        return Given(turns=turns.get(recording.stem) or next(iter(turns.values())))
    value = decode(path).document
    if not is_whisper(value):
        raise InputError(f"{path}: is not the JSON of Whisper or WhisperX (with 'segments')")
    assert isinstance(value, dict)
    segments = value.get("segments")
    if not segments:
        raise InputError(f"{path}: has no segments; nothing was recognised")
    if isinstance(segments, list) and all(one.get("words") for one in segments):
        return Given(words=[pair for number, one in enumerate(segments, 1) for pair in _spoken(path, number, one)])
    found, _ = read_whisper(path, value)
    utterances = [
        Utterance(str(number), turn.speaker or "", turn.text, start=turn.start, end=turn.end)
        for number, turn in enumerate(found)
    ]
    return Given(utterances=utterances)


def _spoken(path: Path, number: int, segment: Mapping[str, object]) -> list[tuple[str | None, Word]]:
    """The words of a segment with their speakers."""
    where = f"{path}, segment {number}"
    start, end = (value if isinstance(value := segment.get(key), int | float) else None for key in ("start", "end"))
    listed = segment["words"]
    words = read_words(where, listed, start, end)
    assert isinstance(listed, list)
    kept = [one for one in listed if str(one.get("text", one.get("word")) or "").strip()]
    whole = segment.get("speaker")
    return [
        (str(speaker) if (speaker := one.get("speaker") or whole) else None, word)
        for one, word in zip(kept, words, strict=True)
    ]
