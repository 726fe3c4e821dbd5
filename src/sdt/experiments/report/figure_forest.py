"""Differences to the reference with their intervals."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.evaluation.figure import fitted, inches, rows_of
from sdt.evaluation.significance import Comparison
from sdt.evaluation.verdict import LIKELY, interval_text, spoken
from sdt.experiments.report.document import Figure
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import FAINT, GROUND, INK, SERIES, plain, render, style

_MEASURES = ("weighted_f1", "accuracy", "macro_f1")


def forest_figure(study: Study) -> Figure:
    """A panel for each measure, a line for each row; study has comparisons."""
    found = study.comparisons
    reference = found[0].reference.name
    level = f"{100 * found[0].level:g} %"
    with style():
        names = [fitted(of.other.name, 28, 2) for of in found]
        height = 0.95 + (0.14 + 0.16 * rows_of(names)) * len(found)
        drawing = Drawing(figsize=(7.4 + inches(names), height), layout="constrained")
        for axes, measure in zip(drawing.subplots(1, len(_MEASURES), sharey=True), _MEASURES, strict=True):
            _panel(axes, found, measure)
            axes.set_yticks(range(len(found)), names)
    return Figure(
        "forest",
        f"Differences to {reference}",
        f"Points of the measure, row minus {reference}, with the {level} interval by the bootstrap over conversations. "
        f"Filled points: p < {LIKELY:g} after Holm's correction; hollow ones are not more than noise of the test "
        "set can make.",
        f"Difference in weighted F1 to {reference}: "
        + "; ".join(
            f"{of.other.name} {100 * (d := of.differences['weighted_f1']).value:+.1f}, "
            + (f"no interval ({d.note})" if d.note else f"from {interval_text(d, '+.1f')}")
            for of in found
        ),
        render(drawing, "forest"),
    )


def _panel(axes: Axes, found: list[Comparison], measure: str) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    for y, of in enumerate(found):
        difference = of.differences[measure]
        sure = difference.likely
        shade = SERIES[1] if difference.value < 0 else SERIES[0]
        shade = shade if sure else FAINT
        axes.hlines(y, 100 * difference.low, 100 * difference.high, color=shade, linewidth=1.8)
        face = shade if sure else GROUND
        axes.plot(100 * difference.value, y, "o", markersize=6, color=face, markeredgecolor=shade, markeredgewidth=1.5)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_title(spoken(measure))
    axes.set_xlabel("points")
    plain(axes)
