"""Scores of transcripts against references, computed by pyannote.metrics, jiwer and meeteval."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sdt.conversation import Prediction, SpeakerTurn, Utterance
from sdt.errors import MissingDependencyError

COLLAR = 0.25
"""Seconds around each boundary of the reference that diarization scores ignore, half on either side: the `collar` of
pyannote.metrics. NIST's collar of 0.25 s is twice as long."""
TOLERANCES = (0.25, 0.5)
"""Tolerances of boundaries in seconds."""
GRID = 0.1
"""Step in seconds at which the emotions of two transcripts are compared."""
PACKAGES = {"pyannote.metrics": "pyannote.metrics", "jiwer": "jiwer", "meeteval": "meeteval"}


def _module(name: str) -> Any:  # noqa: ANN401 - untyped packages
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingDependencyError(f"the scores need {name}; pip install {' '.join(PACKAGES)}") from None


@dataclass
class Tally:
    """Sums over recordings; a score is a ratio of sums."""

    sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, name: str, part: float, whole: float) -> None:
        """Add the errors or hits of a recording, and their total."""
        before = self.sums.get(name, (0.0, 0.0))
        self.sums[name] = (before[0] + part, before[1] + whole)

    def scores(self) -> dict[str, float]:
        """Compute every score."""
        return {name: float(part / whole) if whole else 0.0 for name, (part, whole) in self.sums.items()}


def add_turns(tally: Tally, found: Sequence[SpeakerTurn], known: Sequence[SpeakerTurn], seconds: float) -> None:
    """Add diarization errors with and without overlapped speech, and errors of the number of speakers."""
    core, metrics = _module("pyannote.core"), _module("pyannote.metrics.diarization")

    def annotation(turns: Iterable[SpeakerTurn]) -> Any:  # noqa: ANN401
        made = core.Annotation()
        for number, turn in enumerate(turns):
            made[core.Segment(turn.start, turn.end), number] = turn.speaker
        return made

    for name, skip in (("DER", False), ("DER without overlap", True)):
        metric = metrics.DiarizationErrorRate(collar=COLLAR, skip_overlap=skip)
        of = metric(
            annotation(known),
            annotation(found),
            uem=core.Timeline([core.Segment(0, max(seconds, *(turn.end for turn in known)))]),
            detailed=True,
        )
        tally.add(name, of["missed detection"] + of["false alarm"] + of["confusion"], of["total"])
        if not skip:
            for part in ("missed detection", "false alarm", "confusion"):
                tally.add(part, of[part], of["total"])
    count = len({turn.speaker for turn in found}) - len({turn.speaker for turn in known})
    tally.add("speaker count error", abs(count), 1.0)


def add_words(tally: Tally, found: Sequence[Utterance], known: Sequence[Utterance]) -> None:
    """Add word errors, and word errors by speaker (cpWER)."""
    words = _module("jiwer").process_words(_text(known), _text(found))
    errors = words.substitutions + words.deletions + words.insertions
    tally.add("WER", errors, words.hits + words.substitutions + words.deletions)
    of = _module("meeteval.wer").cp_word_error_rate(
        _by_speaker(known), _by_speaker(found), reference_sort=False, hypothesis_sort=False
    )
    tally.add("cpWER", of.errors, of.length)


def normalise_text(text: str) -> str:
    """Convert to lower case, and keep letters and apostrophes only."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("’", "'")).split())


def _text(utterances: Iterable[Utterance]) -> str:
    return normalise_text(" ".join(utterance.text or "" for utterance in utterances))


def _by_speaker(utterances: Sequence[Utterance]) -> dict[str, str]:
    speakers = dict.fromkeys(utterance.speaker for utterance in utterances)
    return {name: _text(one for one in utterances if one.speaker == name) for name in speakers}


def add_boundaries(tally: Tally, found: Sequence[Utterance], known: Sequence[Utterance]) -> None:
    """Add matches of the starts and ends of utterances, for F1."""
    for tolerance in TOLERANCES:
        hits = sum(_matched(_times(found, side), _times(known, side), tolerance) for side in ("start", "end"))
        tally.add(f"boundary F1 {tolerance} s", 2 * hits, 2 * (len(found) + len(known)))


def _times(utterances: Sequence[Utterance], side: str) -> list[float]:
    return sorted(getattr(utterance, side) for utterance in utterances)


def _matched(found: Sequence[float], known: Sequence[float], tolerance: float) -> int:
    """The maximum number of pairs of times that differ by at most `tolerance`, with each time in at most one pair."""
    pairs, place = 0, 0
    for time in known:
        while place < len(found) and found[place] < time - tolerance:
            place += 1
        if place < len(found) and found[place] <= time + tolerance:
            pairs, place = pairs + 1, place + 1
    return pairs


def add_emotions(tally: Tally, found: Sequence[Prediction], known: Sequence[Prediction]) -> None:
    """Add the time in the reference utterances in which both transcripts have the same emotion.

    Of overlapping utterances, the one that began last counts. Time without an utterance of `found` counts as different.
    """
    theirs, ours = _emotions(known), _emotions(found)
    tally.add("emotion agreement", sum(ours.get(time) == emotion for time, emotion in theirs.items()), len(theirs))


def emotion_times(predictions: Sequence[Prediction]) -> list[str]:
    """The emotion of each tenth of a second with an emotion."""
    return list(_emotions(predictions).values())


def _emotions(predictions: Sequence[Prediction]) -> dict[int, str]:
    at: dict[int, str] = {}
    for one in sorted(predictions, key=lambda one: one.start or 0.0):
        if one.emotion is not None and one.start is not None and one.end is not None:
            at |= dict.fromkeys(range(round(one.start / GRID), round(one.end / GRID)), one.emotion)
    return at
