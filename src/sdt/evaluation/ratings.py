"""Labels of several annotators, arranged by what they labelled: by utterances, or by time.

Utterances with the same ids are compared one by one. Annotators who segmented a recording themselves have no common
utterances: then every millisecond of a speaker is compared, so that segments count by the time in which they overlap.

Shapes: U units, A annotators, C labels, K conversations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Key = tuple[str, str]
"""(conversation id, utterance id)."""
MISSING = -1
SAME_SEGMENT = 0.5
"""Segments with the same id are the same utterance if they share this part of the time that they cover together."""


class Labelled(NamedTuple):
    """An utterance with the label of one annotator."""

    conversation: str
    utterance: str
    label: str
    speaker: str = ""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""


Annotations = Mapping[str, Sequence[Labelled]]
"""The name of each annotator to the labels."""


@dataclass(frozen=True)
class Ratings:
    """Who gave which label to which unit; a unit is an utterance, or a piece of time between two boundaries."""

    annotators: tuple[str, ...]
    labels: tuple[str, ...]
    """Sorted."""
    values: npt.NDArray[np.int64]
    """The numbers of the labels, [U, A]; `MISSING` without a label. Every unit has at least one."""
    counts: npt.NDArray[np.float64]
    """How often each unit counts, [U]: once for an utterance, or the milliseconds of a piece of time."""
    conversations: npt.NDArray[np.int64]
    """The number of the conversation of each unit, from 0, [U]."""

    @property
    def missing(self) -> float:
        """The number of labels that annotators did not give, of utterances, or of milliseconds."""
        return float(self.counts @ (self.values == MISSING).sum(axis=1))

    @property
    def compared(self) -> float:
        """The number of utterances, or of milliseconds, with at least two labels."""
        return float(self.counts @ ((self.values != MISSING).sum(axis=1) > 1))


@dataclass(frozen=True)
class MatchedUtterances:
    """The labels of utterances with the same ids."""

    ratings: Ratings
    keys: tuple[Key, ...]
    """The utterances, in the order of the first file, [U]."""
    different: int
    """The number of labels that are not compared, as the utterance with this id is at another time."""

    def disagreements(self) -> list[Key]:
        """The utterances with different labels."""
        given = self.ratings.values != MISSING
        lowest = np.where(given, self.ratings.values, len(self.ratings.labels)).min(axis=1)
        return [
            key for key, differs in zip(self.keys, self.ratings.values.max(axis=1) > lowest, strict=True) if differs
        ]


def match_utterances(annotations: Annotations) -> MatchedUtterances:
    """Arrange labels by the ids of conversation and utterance.

    Numbered utterances of files with other segments have the same ids, but are not the same utterances: if both have
    times, `SAME_SEGMENT` of their time must be common, or else the later file's label is not compared.

    Args:
        annotations: The labels of each annotator, with one label an utterance.
    """
    labels = _labels(annotations)
    first: dict[Key, Labelled] = {}
    rows: dict[Key, int] = {}
    cells: list[tuple[int, int, int]] = []  # row, annotator, label
    different = 0
    for annotator, given in enumerate(annotations.values()):
        for one in given:
            key = (one.conversation, one.utterance)
            if not _same_segment(first.setdefault(key, one), one):
                different += 1
                continue
            cells.append((rows.setdefault(key, len(rows)), annotator, labels[one.label]))
    values = np.full((len(rows), len(annotations)), MISSING)
    for row, annotator, label in cells:
        values[row, annotator] = label
    conversations = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in rows))}
    numbers = np.array([conversations[name] for name, _ in rows], dtype=np.int64)
    ratings = Ratings(tuple(annotations), tuple(labels), values, np.ones(len(rows)), numbers)
    return MatchedUtterances(ratings, tuple(rows), different)


def match_times(annotations: Annotations) -> Ratings | None:
    """Arrange labels by time: the time of each speaker is cut at the boundaries of all segments.

    Times are rounded to milliseconds. Where segments of one annotator and speaker overlap, the one that starts later
    counts. Utterances without a start and an end are ignored.

    Returns:
        None if fewer than two annotators have labels with times.
    """
    labels = _labels(annotations)
    tracks: dict[Key, list[tuple[int, int, int, int]]] = {}  # start, end, annotator, label
    timed = set()
    for annotator, given in enumerate(annotations.values()):
        for one in given:
            if (
                one.start is not None
                and one.end is not None
                and (end := round(1000 * one.end)) > (start := round(1000 * one.start))
            ):
                timed.add(annotator)
                segment = (start, end, annotator, labels[one.label])
                tracks.setdefault((one.conversation, one.speaker), []).append(segment)
    if len(timed) < 2:
        return None
    conversations = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in tracks))}
    values, counts, numbers = [], [], []
    for (conversation, _), segments in tracks.items():
        cuts = np.unique([time for segment in segments for time in segment[:2]])
        pieces = np.full((len(cuts) - 1, len(annotations)), MISSING)
        for start, end, annotator, label in sorted(segments):
            pieces[np.searchsorted(cuts, start) : np.searchsorted(cuts, end), annotator] = label
        labelled = (pieces != MISSING).any(axis=1)
        values.append(pieces[labelled])
        counts.append(np.diff(cuts)[labelled].astype(np.float64))
        numbers.append(np.full(labelled.sum(), conversations[conversation]))
    return Ratings(
        tuple(annotations),
        tuple(labels),
        np.concatenate(values),
        np.concatenate(counts),
        np.concatenate(numbers),
    )


def _labels(annotations: Annotations) -> dict[str, int]:
    used = sorted({one.label for given in annotations.values() for one in given})
    return {label: number for number, label in enumerate(used)}


def _same_segment(one: Labelled, other: Labelled) -> bool:
    """Whether two utterances are at the same time, or one of them has no times."""
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return True
    if (one.start, one.end) == (other.start, other.end):
        return True
    common = min(one.end, other.end) - max(one.start, other.start)
    return common >= SAME_SEGMENT * (max(one.end, other.end) - min(one.start, other.start))
