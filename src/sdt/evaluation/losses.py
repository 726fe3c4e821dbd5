"""Scores of models on perturbed input, and the loss compared with the original input.

Shapes: R runs, B draws, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdt.evaluation.bootstrap import Resampling, interval, resample
from sdt.evaluation.metrics import MAIN, measure_names
from sdt.evaluation.seeds import Spread
from sdt.evaluation.significance import Estimate
from sdt.evaluation.system import System


@dataclass(frozen=True)
class PerturbedScores:
    """The scores of a system on perturbed input."""

    measures: Mapping[str, Estimate]
    """Measure to its estimate; see `metrics.measure_names`."""
    loss: Estimate
    """Loss of weighted F1, a fraction; every run is compared with itself on the same resamples."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        measures = {name: of.to_dict() for name, of in self.measures.items()}
        return {**measures, "loss_of_weighted_f1": self.loss.to_dict()}


def score_perturbed(unchanged: System, systems: Sequence[System], resampling: Resampling) -> list[PerturbedScores]:
    """Score models on perturbed input.

    Args:
        unchanged: Predictions on the original input.
        systems: Predictions of the same models on perturbed input, with runs and utterances in the same order.
        resampling: Settings of the bootstrap.
    """
    counts = [system.counts() for system in (unchanged, *systems)]
    totals = [of.totals() for of in counts]  # each [R, measures]
    drawn = resample(counts, resampling)  # [1 + systems, B, measures]
    names, K = measure_names(unchanged.labels), unchanged.conversations
    found, main = [], names.index(MAIN)
    for index in range(1, len(counts)):
        measures = {
            name: Estimate(Spread.of(totals[index][:, c].tolist()), *interval(drawn[index, :, c], resampling.level, K))
            for c, name in enumerate(names)
        }
        by_run = (totals[0] - totals[index])[:, main]
        by_draw = (drawn[0] - drawn[index])[:, main]
        found.append(
            PerturbedScores(measures, Estimate(Spread.of(by_run.tolist()), *interval(by_draw, resampling.level, K)))
        )
    return found
