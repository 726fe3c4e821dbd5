"""What could not be encoded, counted and listed in one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

REASONS, PLACES = 6, 5
"""How many reasons, and utterances of each, a line lists."""


def lacking(modality: str, problems: Sequence[str], utterances: int) -> str:
    """How many utterances lack a modality, and why.

    Example:
        >>> lacking("audio", ["dia1/0: no audio track", "dia1/2: no audio track"], 9)
        'audio: missing for 2 of 9 utterances: no audio track (dia1/0, dia1/2)'
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        place, _, reason = problem.partition(": ")
        by_reason[reason].append(place)
    reasons = [f"{reason} ({listed(places)})" for reason, places in by_reason.items()]
    return f"{modality}: missing for {len(problems)} of {utterances} utterances: {listed(reasons, REASONS)}"


def listed(items: Sequence[str], most: int = PLACES) -> str:
    """The first items, and how many more there are."""
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest
