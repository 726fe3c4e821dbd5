"""Scores that the same models lose when their input changes.

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
class Changed:
    """The scores of a system whose input was changed."""

    measures: Mapping[str, Estimate]
    """By measure, see `metrics.measure_names`."""
    loss: Estimate
    """How much weighted F1 is lost, a fraction; every run is compared with itself, on the same draws."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        measures = {name: of.to_dict() for name, of in self.measures.items()}
        return {**measures, "loss_of_weighted_f1": self.loss.to_dict()}


def score_changed(unchanged: System, systems: Sequence[System], how: Resampling) -> list[Changed]:
    """Score the same models on changed input.

    Args:
        unchanged: What they say of the input as it is.
        systems: What they say of changed input, runs and utterances in the same order.
        how: How the bootstrap is made.
    """
    counts = [system.counts() for system in (unchanged, *systems)]
    totals = [of.totals() for of in counts]  # each [R, measures]
    drawn = resample(counts, how)  # [1 + systems, B, measures]
    names, K = measure_names(unchanged.labels), unchanged.conversations
    found, main = [], names.index(MAIN)
    for index in range(1, len(counts)):
        measures = {
            name: Estimate(Spread.of(totals[index][:, c].tolist()), *interval(drawn[index, :, c], how.level, K))
            for c, name in enumerate(names)
        }
        by_run = (totals[0] - totals[index])[:, main]
        by_draw = (drawn[0] - drawn[index])[:, main]
        found.append(Changed(measures, Estimate(Spread.of(by_run.tolist()), *interval(by_draw, how.level, K))))
    return found
