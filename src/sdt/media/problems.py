"""What could not be encoded, counted and listed in one line."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

REASONS, PLACES = 6, 5
"""How many reasons, and utterances of each, a line lists."""


class Tally:
    """Problems that are counted rather than kept.

    Args:
        problems: The first ones, as `dia1/0: no audio track`.
    """

    def __init__(self, problems: Iterable[str] = ()) -> None:
        self.count = 0
        self.first = ""
        """The first problem; empty where there is none."""
        self._places: dict[str, list[str]] = {}
        """Reason to the first places that have it."""
        self._counts: Counter[str] = Counter()
        self.add(problems)

    def add(self, problems: Iterable[str]) -> None:
        """Count some more."""
        for problem in problems:
            place, _, reason = problem.partition(": ")
            self.first = self.first or problem
            self.count += 1
            self._counts[reason] += 1
            places = self._places.setdefault(reason, [])
            if len(places) < PLACES:
                places.append(place)

    def line(self, modality: str, utterances: int) -> str:
        """See `summarise_missing`."""
        reasons = [
            f"{reason} ({_abridged(places, self._counts[reason])})"
            for reason, places in itertools.islice(self._places.items(), REASONS)
        ]
        why = _abridged(reasons, len(self._places))
        return f"{modality}: missing for {self.count} of {utterances} utterances: {why}"


def summarise_missing(modality: str, problems: Sequence[str], utterances: int) -> str:
    """How many utterances lack a modality, and why.

    Example:
        >>> lacking("audio", ["dia1/0: no audio track", "dia1/2: no audio track"], 9)
        'audio: missing for 2 of 9 utterances: no audio track (dia1/0, dia1/2)'
    """
    return Tally(problems).line(modality, utterances)


def summarise(items: Sequence[str], most: int = PLACES) -> str:
    """The first items, and how many more there are."""
    return _abridged(items[:most], len(items))


def _abridged(first: Sequence[str], count: int) -> str:
    rest = f" and {count - len(first)} more" if count > len(first) else ""
    return ", ".join(first) + rest
