"""What `benchmarks.scaling` measures: kinds of batches, what came out for each, and how it grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

NAMES = ("ours", "textbook")
LENGTHS = tuple(2**power for power in range(3, 13))
"""Utterances per conversation, 8 to 4,096."""
CONVERSATIONS = (1, 2, 4, 8, 16, 32, 64)
LENGTH = 10
"""Utterances of each of these."""
UNEVEN = 320
"""Utterances of the two batches that tell what padding costs."""
SHORT = 5
"""Utterances of the short conversations beside a long one."""

SWEEPS = {
    "length": "ever longer conversations, as many utterances in all",
    "conversations": f"ever more conversations of {LENGTH} utterances",
    "padding": "one long conversation among short ones; as many utterances evenly divided",
}
SIZES: dict[str, tuple[str, Callable[[Point], int]]] = {
    "length": ("utterances per conversation (as many in all)", lambda point: point.lengths[0]),
    "conversations": (f"conversations of {LENGTH} utterances", lambda point: len(point.lengths)),
}
"""Of the sweeps that grow, what grows."""


@dataclass
class Point:
    """One kind of batch, measured; by contender. One that is not there was not measured."""

    sweep: str
    lengths: list[int]
    training: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of a step, by turn."""
    prediction: dict[str, list[float]] = field(default_factory=dict)
    """Seconds, by turn."""
    training_memory: dict[str, int] = field(default_factory=dict)
    """Peak bytes of the process, parameters and optimizer included."""
    prediction_memory: dict[str, int] = field(default_factory=dict)
    training_rest: dict[str, int] = field(default_factory=dict)
    """What of it was there before the batch."""
    prediction_rest: dict[str, int] = field(default_factory=dict)


Value = Callable[[Point, str], float]
"""Of a point and a contender."""
QUANTITIES: dict[str, Value] = {
    "training step, ms": lambda point, name: median_ms(point.training, name),
    "prediction, ms": lambda point, name: median_ms(point.prediction, name),
    "memory of a training step, MiB": lambda p, name: (p.training_memory[name] - p.training_rest[name]) / 2**20,
    "memory of a prediction, MiB": lambda p, name: (p.prediction_memory[name] - p.prediction_rest[name]) / 2**20,
}
"""What grows: time, and memory beyond what was there before the batch."""


def sweeps(utterances: int, lengths: Sequence[int] = LENGTHS, counts: Sequence[int] = CONVERSATIONS) -> list[Point]:
    """What to measure, not measured yet."""
    points = [Point("length", [length] * (utterances // length)) for length in lengths if length <= utterances]
    points += [Point("conversations", [LENGTH] * count) for count in counts]
    long = UNEVEN // 4
    uneven = [long] + [SHORT] * ((UNEVEN - long) // SHORT)
    share, more = divmod(sum(uneven), len(uneven))
    even = [share + 1] * more + [share] * (len(uneven) - more)
    return [*points, Point("padding", uneven), Point("padding", even)]


def median_ms(of: dict[str, list[float]], name: str) -> float:
    """Of a contender's seconds, in milliseconds."""
    return 1000 * statistics.median(of[name])


def described(lengths: Sequence[int]) -> str:
    """`64 of 5` or `1 of 80, 48 of 5`."""
    return ", ".join(f"{lengths.count(length)} of {length}" for length in sorted(set(lengths), reverse=True))


def line(points: Sequence[Point], sweep: str, name: str, value: Value) -> tuple[list[int], list[float]]:
    """The sizes of a sweep and a contender's values there; where it was measured, and there was anything to measure."""
    size = SIZES[sweep][1]
    found = [(size(point), value(point, name)) for point in points if point.sweep == sweep and name in point.training]
    return [x for x, y in found if y > 0], [y for _, y in found if y > 0]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """The power of the sizes with which values grow: a line through the logarithms of the larger half.

    The smaller half is left out since what costs the same whatever the size is a large part there. None where there
    are fewer than three points.
    """
    chosen = max(3, -(-len(sizes) // 2))
    if len(sizes) < 3:
        return None
    return float(np.polyfit(np.log(sizes[-chosen:]), np.log(values[-chosen:]), 1)[0])


def exponents(points: Sequence[Point]) -> dict[str, dict[str, dict[str, float | None]]]:
    """By sweep, quantity and contender."""
    return {
        sweep: {
            quantity: {name: exponent(*line(points, sweep, name, value)) for name in NAMES}
            for quantity, value in QUANTITIES.items()
        }
        for sweep in SIZES
    }
