"""Robustness curves as tables and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdt.analysis.robustness.measure import Curve
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.losses import PerturbedScores, score_perturbed
from sdt.evaluation.significance import Estimate
from sdt.evaluation.table import Grid
from sdt.evaluation.verdict import interval_text

_MAX_COLUMNS = 2
"""Maximum number of groups per table, so that it fits into a terminal of 80 columns."""


@dataclass(frozen=True)
class ScoredCurve:
    """The scores of a curve."""

    axis: str
    """Unit of the level."""
    runs: int
    """Number of runs."""
    points: Mapping[float, PerturbedScores]
    """Level to scores; 0 is undisturbed."""

    @property
    def strongest(self) -> float:
        """The highest level."""
        return max(self.points)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "level": self.axis,
            "points": [{"level": level, **of.to_dict()} for level, of in self.points.items()],
        }


@dataclass(frozen=True)
class Robustness:
    """All curves of one group of models."""

    name: str
    runs: int
    curves: Mapping[str, ScoredCurve]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        curves = {name: curve.to_dict() for name, curve in self.curves.items()}
        return {"system": self.name, "runs": self.runs, "notes": list(self.notes), "disturbances": curves}


def score_curve(curve: Curve, resampling: Resampling) -> ScoredCurve:
    """Score a curve, with intervals by the bootstrap over conversations."""
    systems = list(curve.systems.values())
    scored = score_perturbed(systems[0], systems, resampling)
    return ScoredCurve(curve.axis, systems[0].runs, dict(zip(curve.systems, scored, strict=True)))


def format_level(axis: str, level: float) -> str:
    """Format a level: shares and rates in percent, standard deviations as numbers."""
    return f"{level:g}" if axis.startswith("standard") else f"{100 * level:g} %"


def grids(groups: Sequence[Robustness], level: float) -> Iterator[Grid]:
    """Yield a table of the losses at the strongest level of every disturbance, and a table per curve.

    Args:
        groups: One or more groups of models.
        level: Confidence level of the intervals.
    """
    head = f"{100 * level:g} %"
    curves = {name: curve for group in groups for name, curve in group.curves.items()}
    yield Grid(
        "weighted F1 lost at the strongest level, in points",
        ("disturbance", "level", "models", "loss", head),
        [
            (name, format_level(of.axis, of.strongest), group.name, *_loss(of.points[of.strongest].loss))
            for name in curves
            for group in groups
            if (of := group.curves.get(name))
        ],
    )
    for name, curve in curves.items():
        for first in range(0, len(groups), _MAX_COLUMNS):
            shown = groups[first : first + _MAX_COLUMNS]
            yield Grid(
                f"{name}: weighted F1",
                (curve.axis, *(column for group in shown for column in (group.name, head))),
                [
                    (
                        format_level(curve.axis, at),
                        *(cell for group in shown for cell in _point(group.curves.get(name), at)),
                    )
                    for at in curve.points
                ],
            )


def _loss(of: Estimate) -> tuple[str, str]:
    return f"{100 * of.spread.mean:.2f}", interval_text(of, ".2f")


def _point(curve: ScoredCurve | None, level: float) -> tuple[str, str]:
    if curve is None or level not in curve.points:
        return "-", "-"
    of = curve.points[level].measures["weighted_f1"]
    score = str(of.spread) if curve.runs > 1 else f"{100 * of.spread.mean:.2f}"
    return score, interval_text(of, ".1f", "–")
