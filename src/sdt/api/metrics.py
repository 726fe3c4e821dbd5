"""`sdt.metrics`: scores of predicted emotions.

Example:
    >>> scores = score(["joy", "anger", "joy"], ["joy", "joy", "joy"])
    >>> round(scores.accuracy, 2), round(scores.macro_f1, 2)
    (0.67, 0.4)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.conversation import UNLABELLED
from sdt.errors import InputError, near_miss
from sdt.evaluation.metrics import METRICS, ClassCounts, Metric, metrics
from sdt.evaluation.scores import ClassScores, Scores
from sdt.evaluation.scores import score as score_numbers

__all__ = ["METRICS", "ClassCounts", "ClassScores", "Metric", "Scores", "metrics", "score"]


def score(true: Sequence[str | None], predicted: Sequence[str], labels: Sequence[str] | None = None) -> Scores:
    """Score predicted emotions by their names.

    Args:
        true: [N] annotated emotions; utterances with None are ignored.
        predicted: [N] predicted emotions.
        labels: The label names; None for those that occur, sorted. Labels that do not occur count in the macro F1.

    Raises:
        InputError: The lengths differ, a name is not a label, or no utterance has a label.
    """
    if len(true) != len(predicted):
        raise InputError(f"score: {len(true)} annotated emotions, but {len(predicted)} predicted ones")
    labels = list(labels or sorted({*filter(None, true), *predicted}))
    number: dict[str | None, int] = {None: UNLABELLED, **{label: index for index, label in enumerate(labels)}}
    for name in {*true, *predicted}:
        if name not in number:
            raise InputError(f"score: {name!r} is not a label{near_miss(str(name), labels)}")
    numbers = [np.array([number[name] for name in names], dtype=np.int64) for names in (true, predicted)]
    return score_numbers(numbers[0], numbers[1], labels)
