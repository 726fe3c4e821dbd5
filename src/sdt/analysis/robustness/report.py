"""Robustness curves as tables and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdt.analysis.robustness.measure import Curve
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.losses import Changed, score_changed
from sdt.evaluation.significance import Estimate
from sdt.evaluation.table import Grid
from sdt.evaluation.verdict import interval_text

_ABREAST = 2
"""Groups beside each other, so that a terminal of 80 columns shows them."""


@dataclass(frozen=True)
class Scored:
    """A curve in scores."""

    axis: str
    """What the level measures."""
    runs: int
    points: Mapping[float, Changed]
    """By level; 0 is undisturbed."""

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
    curves: Mapping[str, Scored]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        curves = {name: curve.to_dict() for name, curve in self.curves.items()}
        return {"system": self.name, "runs": self.runs, "notes": list(self.notes), "disturbances": curves}


def score_curve(curve: Curve, how: Resampling) -> Scored:
    """Score a curve, with intervals by the bootstrap over conversations."""
    systems = list(curve.systems.values())
    scored = score_changed(systems[0], systems, how)
    return Scored(curve.axis, systems[0].runs, dict(zip(curve.systems, scored, strict=True)))


def shown_level(axis: str, level: float) -> str:
    """A level in words: a share or a rate in percent, standard deviations as they are."""
    return f"{level:g}" if axis.startswith("standard") else f"{100 * level:g} %"


def grids(groups: Sequence[Robustness], level: float) -> Iterator[Grid]:
    """What the strongest level of every disturbance costs, and then every curve.

    Args:
        groups: One or more groups of models.
        level: Of the intervals.
    """
    head = f"{100 * level:g} %"
    curves = {name: curve for group in groups for name, curve in group.curves.items()}
    yield Grid(
        "weighted F1 lost at the strongest level, in points",
        ("disturbance", "level", "models", "loss", head),
        [
            (name, shown_level(of.axis, of.strongest), group.name, *_loss(of.points[of.strongest].loss))
            for name in curves
            for group in groups
            if (of := group.curves.get(name))
        ],
    )
    for name, curve in curves.items():
        for first in range(0, len(groups), _ABREAST):
            abreast = groups[first : first + _ABREAST]
            yield Grid(
                f"{name}: weighted F1",
                (curve.axis, *(column for group in abreast for column in (group.name, head))),
                [
                    (
                        shown_level(curve.axis, at),
                        *(cell for group in abreast for cell in _point(group.curves.get(name), at)),
                    )
                    for at in curve.points
                ],
            )


def _loss(of: Estimate) -> tuple[str, str]:
    return f"{100 * of.spread.mean:.2f}", interval_text(of, ".2f")


def _point(curve: Scored | None, level: float) -> tuple[str, str]:
    if curve is None or level not in curve.points:
        return "-", "-"
    of = curve.points[level].measures["weighted_f1"]
    score = str(of.spread) if curve.runs > 1 else f"{100 * of.spread.mean:.2f}"
    return score, interval_text(of, ".1f", "–")
