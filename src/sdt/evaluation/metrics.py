"""Metrics: score tables, JSON files, comparisons and reports list the entries of `METRICS`.

To add a metric, write one function and add one line to `METRICS` (or an entry point in the group `sdt.metrics`).
Metrics are computed from the counts of each class, so that the bootstrap can compute them for many resamples at once.

Shapes: C classes; leading dimensions are runs, resamples or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sdt.plugins import Registry

MAIN = "weighted_f1"
"""The main metric of the field; it selects epochs and is the subject of conclusions."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """The diagonal and the margins of confusion matrices."""

    correct: Floats
    """[..., C] number of correctly predicted utterances of a class."""
    predicted: Floats
    """[..., C] number of utterances predicted as a class."""
    annotated: Floats
    """[..., C] number of utterances annotated as a class (support)."""

    @cached_property
    def total(self) -> Floats:
        """[...] number of utterances; NaN instead of 0, so that ratios of empty sets are NaN."""
        total = self.annotated.sum(axis=-1)
        return np.where(total > 0, total, np.nan)

    @cached_property
    def f1(self) -> Floats:
        """[..., C] F1 of each class: 0 for a class that is neither annotated nor predicted, as in scikit-learn."""
        both = self.predicted + self.annotated
        f1: Floats = 2 * self.correct / np.where(both > 0, both, 1)
        return f1


@dataclass(frozen=True)
class Metric:
    """A metric."""

    title: str
    """Display name: `weighted F1`."""
    function: Callable[[ClassCounts], Floats]
    """Computes the metric, [...]; NaN if there is no utterance."""
    scale: float = 100.0
    """Factor of values in tables; 100 for percent."""
    decimals: int = 2
    """Decimal places in tables."""
    higher_is_better: bool = True
    """Whether higher values are better."""

    def text(self, value: float, sign: str = "") -> str:
        """Format a value for tables; with `sign` `+`, positive values have a sign."""
        return f"{self.scale * value:{sign}.{self.decimals}f}"


def _accuracy(counts: ClassCounts) -> Floats:
    accuracy: Floats = counts.correct.sum(axis=-1) / counts.total
    return accuracy


def _weighted_f1(counts: ClassCounts) -> Floats:
    """The mean F1 of the classes, weighted by their support."""
    weighted: Floats = (counts.f1 * counts.annotated).sum(axis=-1) / counts.total
    return weighted


def _macro_f1(counts: ClassCounts) -> Floats:
    """The mean F1 of all C classes, including classes that do not occur."""
    return np.where(counts.total > 0, counts.f1.mean(axis=-1), np.nan)


METRICS: Registry[Metric] = Registry(
    "sdt.metrics",
    Metric,
    {
        "accuracy": Metric("accuracy", _accuracy),
        "weighted_f1": Metric("weighted F1", _weighted_f1),
        "macro_f1": Metric("macro F1", _macro_f1),
    },
)
"""Metrics by name, the key in JSON files."""


def metrics() -> Mapping[str, Metric]:
    """The metrics of `METRICS`, imported."""
    return {name: METRICS[name] for name in METRICS}


def class_measure(label: str) -> str:
    """The name of the F1 of a class among the measures: `f1:LABEL`."""
    return f"f1:{label}"


def measure_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The names of all measures: the metrics, then the F1 of each class."""
    return (*metrics(), *map(class_measure, labels))


def measure(name: str) -> Metric:
    """The metric of a name, or the F1 of a class.

    Example:
        >>> measure("f1:joy").title
        'F1 of joy'
    """
    return metrics().get(name) or Metric(f"F1 of {name.removeprefix('f1:')}", _macro_f1)


def measure_values(counts: ClassCounts) -> Floats:
    """Compute all measures, [..., number of metrics + C], in the order of `measure_names`; NaN without utterances."""
    shape = counts.correct.shape[:-1]
    values = np.stack([np.broadcast_to(metric.function(counts), shape) for metric in metrics().values()], axis=-1)
    return np.concatenate([values, counts.f1], axis=-1)
