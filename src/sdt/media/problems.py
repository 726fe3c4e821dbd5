"""Summaries of missing utterances and their reasons in one line."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

MAX_REASONS, MAX_UTTERANCES = 6, 5
"""The largest number of reasons in a summary, and of utterances for each."""


class Tally:
    """Counts problems without storing all of them.

    Args:
        problems: The first problems, such as `dia1/0: no audio track`.
    """

    def __init__(self, problems: Iterable[str] = ()) -> None:
        self.count = 0
        self.first = ""
        """The first problem, or an empty string."""
        self._utterances: dict[str, list[str]] = {}
        """Reason to the first utterances with it."""
        self._counts: Counter[str] = Counter()
        self.add(problems)

    def add(self, problems: Iterable[str]) -> None:
        """Count more problems."""
        for problem in problems:
            utterance, _, reason = problem.partition(": ")
            self.first = self.first or problem
            self.count += 1
            self._counts[reason] += 1
            first = self._utterances.setdefault(reason, [])
            if len(first) < MAX_UTTERANCES:
                first.append(utterance)

    def line(self, modality: str, utterances: int) -> str:
        """See `summarise_missing`."""
        reasons = [
            f"{reason} ({_abridge(first, self._counts[reason])})"
            for reason, first in itertools.islice(self._utterances.items(), MAX_REASONS)
        ]
        why = _abridge(reasons, len(self._utterances))
        return f"{modality}: missing for {self.count} of {utterances} utterances: {why}"


def summarise_missing(modality: str, problems: Sequence[str], utterances: int) -> str:
    """Summarise how many utterances lack a modality, and why.

    Example:
        >>> summarise_missing("audio", ["dia1/0: no audio track", "dia1/2: no audio track"], 9)
        'audio: missing for 2 of 9 utterances: no audio track (dia1/0, dia1/2)'
    """
    return Tally(problems).line(modality, utterances)


def summarise(items: Sequence[str], most: int = MAX_UTTERANCES) -> str:
    """The first items, and the number of the others."""
    return _abridge(items[:most], len(items))


def _abridge(first: Sequence[str], count: int) -> str:
    rest = f" and {count - len(first)} more" if count > len(first) else ""
    return ", ".join(first) + rest
