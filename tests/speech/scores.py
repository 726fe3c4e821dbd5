"""Word error and diarization error for tests: benchmarks take them from jiwer and pyannote.metrics."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from sdt.conversation import SpeakerTurn

COLLAR, STEP = 0.125, 0.01


def word_error(known: str, found: str) -> float:
    """Substitutions, deletions and insertions per known word; case and punctuation do not count."""
    wanted, said = (re.sub(r"[^a-z' ]", " ", text.lower()).split() for text in (known, found))
    costs = list(range(len(said) + 1))
    for row, word in enumerate(wanted, start=1):
        before, costs[0] = costs[0], row
        for column, other in enumerate(said, start=1):
            before, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, before + (word != other)),
            )
    return costs[-1] / len(wanted)


def diarization_error(known: Sequence[SpeakerTurn], found: Sequence[SpeakerTurn], seconds: float) -> float:
    """Missed, wrong and invented speech per known speech, but for 0.125 s to either side of known boundaries."""
    times = np.arange(0, seconds, STEP) + STEP / 2
    edges = np.array([edge for turn in known for edge in (turn.start, turn.end)])
    scored = np.abs(times[:, None] - edges).min(axis=1) > COLLAR
    wanted, said = _spoken(known, times[scored]), _spoken(found, times[scored])
    size = max(len(wanted), len(said))
    wanted, said = (np.pad(rows, ((0, size - len(rows)), (0, 0))) for rows in (wanted, said))
    errors = min(
        np.maximum(wanted.sum(0), said.sum(0)).sum() - (wanted & said[list(order)]).sum()
        for order in itertools.permutations(range(size))
    )
    return float(errors / wanted.sum())


def _spoken(turns: Sequence[SpeakerTurn], times: np.ndarray) -> np.ndarray:
    """[speakers, times] who speaks."""
    rows = [
        np.any([(turn.start <= times) & (times < turn.end) for turn in turns if turn.speaker == speaker], axis=0)
        for speaker in sorted({turn.speaker for turn in turns})
    ]
    return np.array(rows, dtype=bool).reshape(-1, len(times))
