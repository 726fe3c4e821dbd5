"""Comparisons of systems as tables and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sdt.evaluation.metrics import MAIN, class_measure, measure, metrics
from sdt.evaluation.significance import NO_UTTERANCE, Comparison, Difference, Estimate
from sdt.evaluation.system import System
from sdt.evaluation.table import Grid
from sdt.evaluation.verdict import corrected_for, interval_text, p_value

_MAX_COLUMNS = 3
"""Maximum number of systems per table, so that it fits into a terminal of 80 columns."""


def grids(comparisons: Sequence[Comparison]) -> Iterator[Grid]:
    """Yield tables of the scores of all systems, their F1 by class, and the differences to the reference."""
    first = comparisons[0]
    sides = [(first.reference, first.estimates[0]), *((c.other, c.estimates[1]) for c in comparisons)]
    yield _scores(sides, first.level)
    for begin in range(0, len(sides), _MAX_COLUMNS):
        yield _classes(sides[begin : begin + _MAX_COLUMNS])
    for comparison in comparisons:
        yield _differences(comparison)


def values(comparisons: Sequence[Comparison], settings: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values: the settings, and every comparison."""
    first = comparisons[0].reference
    return {
        **settings,
        "utterances": len(first.utterance_keys),
        "conversations": first.conversations,
        "reference": first.name,
        "comparisons": [comparison.to_dict() for comparison in comparisons],
    }


def score(system: System, of: Estimate, name: str = MAIN) -> str:
    """Format a score for tables, with its standard deviation over several runs; `–` for a class that does not occur."""
    if of.note == NO_UTTERANCE:
        return "–"
    text = measure(name).text
    return f"{text(of.spread.mean)} ± {text(of.spread.deviation)}" if system.runs > 1 else text(of.spread.mean)


def _scores(sides: Sequence[tuple[System, Mapping[str, Estimate]]], level: float) -> Grid:
    system = sides[0][0]
    return Grid(
        f"scores on {len(system.utterance_keys):,} utterances of {system.conversations:,} conversations; mean ± "
        "standard deviation over runs, interval by bootstrap over conversations",
        ("system", "runs", "measure", "score", f"{100 * level:g} % interval"),
        [
            (
                system.name,
                str(system.runs),
                metric.title,
                score(system, of[name], name),
                interval_text(of[name], f".{metric.decimals}f", scale=metric.scale),
            )
            for system, of in sides
            for name, metric in metrics().items()
        ],
    )


def _classes(sides: Sequence[tuple[System, Mapping[str, Estimate]]]) -> Grid:
    return Grid(
        "F1 by class",
        ("class", *(system.name for system, _ in sides)),
        [(label, *(score(system, of[class_measure(label)]) for system, of in sides)) for label in sides[0][0].labels],
    )


def _differences(comparison: Comparison) -> Grid:
    corrected = _corrected(comparison.differences)
    return Grid(
        f"{comparison.other.name} minus {comparison.reference.name}, in points; p-values of the bootstrap over "
        "conversations, and of the paired t-test and Wilcoxon's test over seeds"
        + (f"; p-values are Holm-corrected for the number of comparisons ({corrected})" if corrected else ""),
        ("measure or class", "difference", f"{100 * comparison.level:g} % interval", "p", "t", "Wilcoxon"),
        [
            (
                metric.title if name in metrics() else name.removeprefix("f1:"),
                "-" if of.note == NO_UTTERANCE else metric.text(of.value, "+"),
                interval_text(of, f"+.{metric.decimals}f", scale=metric.scale),
                *map(p_value, (of.p_holm, of.t_holm, of.wilcoxon_holm)),
            )
            for name, of in comparison.differences.items()
            for metric in (measure(name),)
        ],
    )


def _corrected(differences: Mapping[str, Difference]) -> str:
    """The numbers of comparisons in the correction: each metric is a family, all classes together are another."""
    families = {name if name in metrics() else "classes": of.family for name, of in differences.items()}
    names: dict[str, list[str]] = {}
    for name, family in families.items():
        if text := corrected_for(family):
            names.setdefault(text, []).append(metrics()[name].title if name in metrics() else name)
    return "; ".join(f"{', '.join(of)}: {text}" for text, of in names.items())
