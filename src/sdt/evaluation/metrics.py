"""The metrics: every score table, JSON file, comparison and report lists the entries of `METRICS`.

A new metric is one function and one line in `METRICS` (or an entry point in the group `sdt.metrics`). It is computed
from the counts of each class, so that the bootstrap can compute it for many resamples of the test set at once.

Shapes: C classes; leading dimensions are runs, resamples or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from sdt.plugins import Registry

MAIN = "weighted_f1"
"""The metric that chooses epochs and that conclusions are about: the main metric of the field."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """The diagonal and the margins of confusion matrices."""

    correct: Floats
    """[..., C] utterances of a class that were predicted as it."""
    predicted: Floats
    """[..., C] utterances that were predicted as a class."""
    annotated: Floats
    """[..., C] utterances of a class (its support)."""

    @cached_property
    def total(self) -> Floats:
        """[...] utterances; NaN instead of 0, so that a ratio of nothing is NaN."""
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
    """One metric."""

    title: str
    """Its name in tables and sentences: `weighted F1`."""
    function: Callable[[ClassCounts], Floats]
    """Returns [...]; NaN if there is no utterance."""
    scale: float = 100.0
    """Tables show the value times this; 100 for percent."""
    decimals: int = 2
    """Decimal places in tables."""
    higher_is_better: bool = True

    def text(self, value: float, sign: str = "") -> str:
        """A value as tables show it; `sign` is `+` to show the sign of positive values, too."""
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


@cache
def metrics() -> Mapping[str, Metric]:
    """The metrics of `METRICS`, imported: reads the entry points of installed packages once per process."""
    return dict(METRICS)


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
    """All measures, [..., number of metrics + C], in the order of `measure_names`; NaN if there is no utterance."""
    shape = counts.correct.shape[:-1]
    values = np.stack([np.broadcast_to(metric.function(counts), shape) for metric in metrics().values()], axis=-1)
    return np.concatenate([values, counts.f1], axis=-1)
