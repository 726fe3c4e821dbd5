"""What `benchmarks.scaling` measures: kinds of batches, and what came out for each."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

NAMES = ("ours", "textbook")
LENGTHS = (1, 2, 5, 10, 20, 40, 80, 160, 320)
"""Utterances per conversation; they divide the default of utterances in all."""
CONVERSATIONS = (1, 2, 4, 8, 16, 32, 64)
LENGTH = 10
"""Utterances of each of these."""
SHORT = 5
"""Utterances of the short conversations beside a long one."""

SWEEPS = {
    "length": "ever longer conversations, as many utterances in all",
    "conversations": f"ever more conversations of {LENGTH} utterances",
    "padding": "one long conversation among short ones; as many utterances evenly divided",
}


@dataclass
class Point:
    """One kind of batch, measured; by contender."""

    sweep: str
    lengths: list[int]
    training: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of a step, by turn."""
    prediction: dict[str, list[float]] = field(default_factory=dict)
    """Seconds, by turn."""
    training_memory: dict[str, int] = field(default_factory=dict)
    """Peak bytes of the process, parameters and optimizer included."""
    prediction_memory: dict[str, int] = field(default_factory=dict)


def sweeps(utterances: int, lengths: Sequence[int] = LENGTHS, counts: Sequence[int] = CONVERSATIONS) -> list[Point]:
    """What to measure, not measured yet."""
    points = [Point("length", [length] * (utterances // length)) for length in lengths if length <= utterances]
    points += [Point("conversations", [LENGTH] * count) for count in counts]
    long = utterances // 4
    uneven = [long] + [SHORT] * ((utterances - long) // SHORT)
    share, more = divmod(sum(uneven), len(uneven))
    even = [share + 1] * more + [share] * (len(uneven) - more)
    return [*points, Point("padding", uneven), Point("padding", even)]


def median_ms(of: dict[str, list[float]], name: str) -> float:
    """Of a contender's seconds, in milliseconds."""
    return 1000 * statistics.median(of[name])


def described(lengths: Sequence[int]) -> str:
    """`64 of 5` or `1 of 80, 48 of 5`."""
    return ", ".join(f"{lengths.count(length)} of {length}" for length in sorted(set(lengths), reverse=True))
