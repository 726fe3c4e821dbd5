"""Agreement of annotators as tables and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from sdt.evaluation.agreement import Agreement, Estimate
from sdt.evaluation.bootstrap import interval_values
from sdt.evaluation.ratings import Ratings
from sdt.evaluation.table import Grid

Unit = Literal["utterances", "seconds"]
"""What is compared; `Ratings` counts time in milliseconds."""
_MAX_LABELS = 30
"""The largest number of labels that have rows in the table; JSON has all."""


def grids(ratings: Ratings, agreement: Agreement, unit: Unit, level: float) -> Iterator[Grid]:
    """Yield tables of the agreement of all annotators, of the labels, and of pairs of annotators.

    Args:
        ratings: The labels that were compared.
        agreement: Their agreement.
        unit: What was compared.
        level: The confidence level of the intervals, in percent.
    """
    spread = f"{level:g} % interval"
    annotators = len(ratings.annotators)
    title = f"Agreement of {annotators} annotators on {_amount(ratings.compared, unit)} {unit}"
    if ratings.missing:
        title += f"; missing labels: {_amount(ratings.missing, unit)}"
    overall = {
        "raw agreement": agreement.raw,
        "Fleiss' kappa": agreement.fleiss_kappa,
        "Krippendorff's alpha": agreement.krippendorff_alpha,
    }
    yield Grid(title, ("measure", "value", spread), [(name, *_cells(of)) for name, of in overall.items()])
    if len(ratings.labels) <= _MAX_LABELS:
        yield Grid(
            f"Labels, by {unit}",
            ("label", "given", "agreement", "Fleiss' kappa", "alpha", spread),
            [
                (
                    label,
                    _amount(of.count, unit),
                    _number(of.agreement.value),
                    _number(of.fleiss_kappa.value),
                    *_cells(of.krippendorff_alpha),
                )
                for label, of in agreement.labels.items()
            ],
        )
    if not agreement.pairs:
        return
    yield Grid(
        f"Pairs of annotators, by {unit}",
        ("annotators", unit, "agreement", "Cohen's kappa", spread),
        [
            (
                f"{pair.first} and {pair.second}",
                _amount(pair.compared, unit),
                _number(pair.agreement),
                *_cells(Estimate(pair.kappa, pair.interval)),
            )
            for pair in agreement.pairs
        ],
    )


def values(ratings: Ratings, agreement: Agreement, unit: Unit) -> dict[str, Any]:
    """JSON values; undefined numbers are null. Time is in seconds."""
    return {
        "unit": unit,
        "compared": _count(ratings.compared, unit),
        "missing": _count(ratings.missing, unit),
        "agreement": _estimate(agreement.raw),
        "fleiss_kappa": _estimate(agreement.fleiss_kappa),
        "krippendorff_alpha": _estimate(agreement.krippendorff_alpha),
        "labels": {
            label: {
                "given": _count(of.count, unit),
                "agreement": _estimate(of.agreement),
                "fleiss_kappa": _estimate(of.fleiss_kappa),
                "krippendorff_alpha": _estimate(of.krippendorff_alpha),
            }
            for label, of in agreement.labels.items()
        },
        "pairs": [
            {
                "annotators": [pair.first, pair.second],
                "compared": _count(pair.compared, unit),
                "agreement": _defined(pair.agreement),
                "cohen_kappa": _estimate(Estimate(pair.kappa, pair.interval)),
                "by_label": dict(pair.by_label),
            }
            for pair in agreement.pairs
        ],
    }


def _count(amount: float, unit: Unit) -> float:
    return round(amount / 1000, 3) if unit == "seconds" else int(amount)


def _amount(amount: float, unit: Unit) -> str:
    return f"{amount / 1000:,.1f}" if unit == "seconds" else f"{amount:,.0f}"


def _estimate(of: Estimate) -> dict[str, Any]:
    return {"value": _defined(of.value), **interval_values(*of.interval)}


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cells(of: Estimate) -> tuple[str, str]:
    low, high, note = of.interval
    return _number(of.value), "–" if note else f"{low:.2f} to {high:.2f}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
