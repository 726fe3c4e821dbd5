"""Scores of predicted emotions, as defined by scikit-learn.

Shapes: N utterances, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_fscore_support

from sdt.errors import InputError
from sdt.evaluation.metrics import ClassCounts, class_measure, metrics

if TYPE_CHECKING:
    from sdt.evaluation.outputs import SplitOutputs

_NO_LABELS = "no utterance has a label; scores need labelled utterances"


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, between 0 and 1."""

    precision: float
    """0 if the class was never predicted."""
    recall: float
    """0 if the class does not occur."""
    f1: float
    support: int
    """Number of annotated utterances of the class."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of predictions against the annotation."""

    metrics: Mapping[str, float]
    """The value of each metric of `sdt.evaluation.metrics.METRICS`, by name."""
    classes: Mapping[str, ClassScores]
    """Label to scores, in the order of the labels."""
    confusion: npt.NDArray[np.int64]
    """[C, C] counts; a row is an annotated class, a column a predicted one."""

    @property
    def accuracy(self) -> float:
        """The share of correctly predicted utterances."""
        return self.metrics["accuracy"]

    @property
    def weighted_f1(self) -> float:
        """The mean F1 of the classes, weighted by their support: the main metric of the field."""
        return self.metrics["weighted_f1"]

    @property
    def macro_f1(self) -> float:
        """The mean F1 of all C classes, including classes that do not occur."""
        return self.metrics["macro_f1"]

    @property
    def measures(self) -> dict[str, float]:
        """The metrics and then the F1 of each class, by the names of `sdt.evaluation.metrics.measure_names`."""
        return {**self.metrics, **{class_measure(label): of.f1 for label, of in self.classes.items()}}

    @property
    def absent(self) -> list[str]:
        """Classes without annotated utterances; their recall and F1 are 0 by convention."""
        return [label for label, of in self.classes.items() if not of.support]

    @property
    def utterances(self) -> int:
        """The number of scored utterances."""
        return int(self.confusion.sum())

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            **self.metrics,
            "utterances": self.utterances,
            "classes": {label: asdict(scores) for label, scores in self.classes.items()},
            "confusion": self.confusion.tolist(),
        }


def score(true: npt.ArrayLike, predicted: npt.ArrayLike, labels: Sequence[str]) -> Scores:
    """Score predicted class numbers.

    Args:
        true: [N] annotated class numbers; utterances with a negative number are ignored.
        predicted: [N] predicted class numbers.
        labels: The C label names in the order of their numbers.

    Raises:
        InputError: No utterance has a label.
        ValueError: The arrays differ in length or contain an invalid class number.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"true has the shape {true.shape}, predicted {predicted.shape}; expected the same [N]")
    labelled = true >= 0
    true, predicted = true[labelled], predicted[labelled]  # [labelled]
    if len(true) == 0:
        raise InputError(_NO_LABELS)
    if max(true.max(), predicted.max()) >= len(labels) or predicted.min() < 0:
        raise ValueError(f"a class number is not in 0..{len(labels) - 1}")
    C = len(labels)
    return score_confusion(np.bincount(true * C + predicted, minlength=C * C).reshape(C, C), labels)


def score_confusion(confusion: npt.NDArray[np.int64], labels: Sequence[str]) -> Scores:
    """Score a confusion matrix.

    Args:
        confusion: [C, C] counts; a row is an annotated class, a column a predicted one.
        labels: The C label names in the order of their numbers.

    Raises:
        InputError: No utterance is annotated.
    """
    if not confusion.any():
        raise InputError(_NO_LABELS)
    # All classes are listed, so that classes that do not occur count in the macro mean.
    numbers = range(len(labels))
    # One sample per cell, weighted by its count.
    true, predicted = np.indices(confusion.shape).reshape(2, -1)
    cells = {"labels": numbers, "sample_weight": confusion.ravel(), "zero_division": 0}
    per_class = precision_recall_fscore_support(true, predicted, **cells)
    return Scores(
        metrics=score_metrics(confusion),
        classes={
            label: ClassScores(float(precision), float(recall), float(f1), int(support))
            for label, precision, recall, f1, support in zip(labels, *per_class, strict=True)
        },
        confusion=confusion.astype(np.int64),
    )


def score_metrics(confusion: npt.NDArray[np.int64]) -> dict[str, float]:
    """The value of each metric of `sdt.evaluation.metrics.METRICS`, by name, of a confusion matrix [C, C]."""
    counts = ClassCounts(
        np.diagonal(confusion).astype(np.float64),
        confusion.sum(axis=0).astype(np.float64),
        confusion.sum(axis=1).astype(np.float64),
    )
    return {name: float(metric.function(counts)) for name, metric in metrics().items()}


def score_classifiers(outputs: SplitOutputs, labels: Sequence[str]) -> dict[str, Scores]:
    """Score the predictions of every classifier, keyed like `outputs.probabilities`.

    Raises:
        InputError: No utterance is annotated.
    """
    return {
        classifier: score(outputs.label, p.argmax(axis=1), labels) for classifier, p in outputs.probabilities.items()
    }


def caveat(provenance: Mapping[str, Any]) -> str | None:
    """The caveat for scores of a model whose epoch was selected on test; None for other models.

    Args:
        provenance: `ModelConfig.provenance`.
    """
    return "epoch selected on test (protocol 'published')" if provenance.get("protocol") == "published" else None
