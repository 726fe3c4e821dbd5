"""Measurement points of `benchmarks.scaling`: batches, their results, and exponents of growth."""

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
"""Utterances per conversation of the sweep over the number of conversations."""
UNEVEN = 320
"""Utterances of the two batches that measure the cost of padding."""
SHORT = 5
"""Utterances of each short conversation in the batch with a long one."""

SWEEPS = {
    "length": "longer conversations, with the same total number of utterances",
    "conversations": f"more conversations of {LENGTH} utterances",
    "padding": "one long and many short conversations; the same number of utterances in conversations of equal length",
}
SIZES: dict[str, tuple[str, Callable[[Point], int]]] = {
    "length": ("utterances per conversation (same total)", lambda point: point.lengths[0]),
    "conversations": (f"conversations of {LENGTH} utterances", lambda point: len(point.lengths)),
}
"""Axis label and size of the sweeps with a growing size."""


@dataclass
class Point:
    """A batch and its results by implementation; an implementation that was not measured is absent."""

    sweep: str
    lengths: list[int]
    training: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of a step, by round."""
    prediction: dict[str, list[float]] = field(default_factory=dict)
    """Seconds, by round."""
    training_memory: dict[str, int] = field(default_factory=dict)
    """Peak bytes of the process, including parameters and optimizer."""
    prediction_memory: dict[str, int] = field(default_factory=dict)
    training_rest: dict[str, int] = field(default_factory=dict)
    """Bytes before the batch."""
    prediction_rest: dict[str, int] = field(default_factory=dict)


Value = Callable[[Point, str], float]
"""The value of an implementation at a point."""
QUANTITIES: dict[str, Value] = {
    "training step, ms": lambda point, name: median_ms(point.training, name),
    "prediction, ms": lambda point, name: median_ms(point.prediction, name),
    "memory of a training step, MiB": lambda p, name: (p.training_memory[name] - p.training_rest[name]) / 2**20,
    "memory of a prediction, MiB": lambda p, name: (p.prediction_memory[name] - p.prediction_rest[name]) / 2**20,
}
"""Measured quantities: time, and memory in addition to that before the batch."""


def sweeps(utterances: int, lengths: Sequence[int] = LENGTHS, counts: Sequence[int] = CONVERSATIONS) -> list[Point]:
    """Create the points to measure."""
    points = [Point("length", [length] * (utterances // length)) for length in lengths if length <= utterances]
    points += [Point("conversations", [LENGTH] * count) for count in counts]
    long = UNEVEN // 4
    uneven = [long] + [SHORT] * ((UNEVEN - long) // SHORT)
    share, more = divmod(sum(uneven), len(uneven))
    even = [share + 1] * more + [share] * (len(uneven) - more)
    return [*points, Point("padding", uneven), Point("padding", even)]


def median_ms(of: dict[str, list[float]], name: str) -> float:
    """The median of the seconds of an implementation, in milliseconds."""
    return 1000 * statistics.median(of[name])


def describe_lengths(lengths: Sequence[int]) -> str:
    """Format lengths: `64 of 5` or `1 of 80, 48 of 5`."""
    return ", ".join(f"{lengths.count(length)} of {length}" for length in sorted(set(lengths), reverse=True))


def line(points: Sequence[Point], sweep: str, name: str, value: Value) -> tuple[list[int], list[float]]:
    """The sizes of a sweep and the positive values of an implementation at them."""
    size = SIZES[sweep][1]
    found = [(size(point), value(point, name)) for point in points if point.sweep == sweep and name in point.training]
    return [x for x, y in found if y > 0], [y for _, y in found if y > 0]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """The exponent of growth: the slope of a line through the logarithms of the larger half of the sizes.

    The smaller half is excluded, because constant costs dominate there. None with fewer than three points.
    """
    chosen = max(3, -(-len(sizes) // 2))
    if len(sizes) < 3:
        return None
    return float(np.polyfit(np.log(sizes[-chosen:]), np.log(values[-chosen:]), 1)[0])


def exponents(points: Sequence[Point]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The exponents by sweep, quantity and implementation."""
    return {
        sweep: {
            quantity: {name: exponent(*line(points, sweep, name, value)) for name in NAMES}
            for quantity, value in QUANTITIES.items()
        }
        for sweep in SIZES
    }
