"""The metric that selects the epoch: the setting `training.selection`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sdt.evaluation.metrics import MAIN, metrics
from sdt.evaluation.scores import Scores
from sdt.models.config import FUSED


class Selection:
    """A metric of the fused classifier.

    Args:
        name: The name of the metric in `sdt.evaluation.metrics.METRICS`.
    """

    def __init__(self, name: str = MAIN) -> None:
        self.name, self.metric = name, metrics()[name]

    @property
    def title(self) -> str:
        """Display name: `weighted F1`."""
        return self.metric.title

    def of(self, scores: Mapping[str, Scores]) -> float:
        """The score of an epoch from the scores of its classifiers."""
        return scores[FUSED].metrics[self.name]

    def of_line(self, line: Mapping[str, Any], split: str) -> float:
        """The score of an epoch from its line of metrics.jsonl."""
        return float(line[split][FUSED][self.name])

    def key(self, score: float) -> float:
        """A number that is highest for the best score; an undefined score (NaN) is the worst."""
        if math.isnan(score):
            return -math.inf
        return score if self.metric.higher_is_better else -score
