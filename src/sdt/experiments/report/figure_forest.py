"""Differences to the reference with their intervals."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.evaluation.figure import fitted, inches, rows_of
from sdt.evaluation.metrics import MAIN, measure, metrics
from sdt.evaluation.significance import Comparison
from sdt.evaluation.verdict import LIKELY, interval_text
from sdt.experiments.report.document import Figure
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import FAINT, GROUND, INK, SERIES, plain, render, style


def forest_figure(study: Study) -> Figure:
    """A panel for each measure, a line for each row; study has comparisons."""
    found = study.comparisons
    reference = found[0].reference.name
    level = f"{100 * found[0].level:g} %"
    with style():
        names = [fitted(of.other.name, 28, 2) for of in found]
        height = 0.95 + (0.14 + 0.16 * rows_of(names)) * len(found)
        drawing = Drawing(figsize=(7.4 + inches(names), height), layout="constrained")
        names_of = [MAIN, *(name for name in metrics() if name != MAIN)]
        for axes, name in zip(drawing.subplots(1, len(names_of), sharey=True), names_of, strict=True):
            _panel(axes, found, name)
            axes.set_yticks(range(len(found)), names)
    return Figure(
        "forest",
        f"Differences to {reference}",
        f"Points of the measure, row minus {reference}, with the {level} interval by the bootstrap over conversations. "
        f"Filled points: p < {LIKELY:g} after Holm's correction; hollow ones are not more than noise of the test "
        "set can make.",
        f"Difference in weighted F1 to {reference}: "
        + "; ".join(
            f"{of.other.name} {100 * (d := of.differences[MAIN]).value:+.1f}, "
            + (f"no interval ({d.note})" if d.note else f"from {interval_text(d, '+.1f')}")
            for of in found
        ),
        render(drawing, "forest"),
    )


def _panel(axes: Axes, found: list[Comparison], name: str) -> None:
    metric = measure(name)
    axes.axvline(0, color=INK, linewidth=1)
    for y, of in enumerate(found):
        difference = of.differences[name]
        sure = difference.likely
        worse = difference.value < 0 if metric.higher_is_better else difference.value > 0
        shade = SERIES[1] if worse else SERIES[0]
        shade = shade if sure else FAINT
        axes.hlines(y, metric.scale * difference.low, metric.scale * difference.high, color=shade, linewidth=1.8)
        face = shade if sure else GROUND
        value = metric.scale * difference.value
        axes.plot(value, y, "o", markersize=6, color=face, markeredgecolor=shade, markeredgewidth=1.5)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_title(metric.title)
    axes.set_xlabel("points" if metric.scale == 100 else "difference")
    plain(axes)
