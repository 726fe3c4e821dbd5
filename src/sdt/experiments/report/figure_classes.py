"""Figure of the F1 of every class, by row."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.evaluation.figure import fitted, inches, legend_columns, rows_of
from sdt.evaluation.metrics import class_measure
from sdt.evaluation.seeds import Spread
from sdt.experiments.report.document import Figure
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import FAINT, GROUND, SERIES, colour, plain, render, style
from sdt.experiments.results import Measured

_BESIDE = 4
"""So many rows share a panel; more have a panel for each class."""
_ABREAST = 4
"""Panels in a line."""
_WIDTH = 9.2
"""Inches of the figure with one panel."""


def class_figure(study: Study) -> Figure:
    """A point for every row and class: mean over runs, with the standard deviation as a bar."""
    rows = study.rows
    summary = rows[0].group.summary(study.split)
    labels = [label for label in summary.classes if label not in summary.absent]
    measured = {row.name: found for row in rows if (found := row.measured(study.split))}
    with style():
        drawing = _beside(measured, labels) if len(rows) <= _BESIDE else _panels(measured, labels, study)
    best = {label: text for label in labels if (text := _best(measured, class_measure(label)))}
    return Figure(
        "classes-figure",
        f"F1 of every class on {study.split}",
        "Points are means over the runs, bars one standard deviation to either side; a row of a single run has no bar."
        + (" The dotted line is the reference." if len(rows) > _BESIDE else ""),
        "F1 in percent by class; the highest mean: " + ", ".join(f"{label} {text}" for label, text in best.items()),
        render(drawing, "classes-figure"),
    )


def _best(measured: dict[str, Measured], measure: str) -> str:
    """The rows with the highest mean, and the mean; empty if it is 0."""
    highest = max(of[measure].mean for of in measured.values())
    names = [name for name, of in measured.items() if of[measure].mean == highest]
    return f"{' and '.join(names)} with {100 * highest:.1f}" if highest else ""


def _beside(measured: dict[str, Measured], labels: list[str]) -> Drawing:
    names, shown = [fitted(label, 28, 2) for label in labels], [fitted(name, 40) for name in measured]
    ncols = legend_columns(shown, _WIDTH)
    height = 0.7 + 0.2 * math.ceil(len(shown) / ncols) + len(labels) * (0.22 + 0.16 * len(measured))
    drawing = Drawing(figsize=(_WIDTH, height), layout="constrained")
    axes = drawing.add_subplot()
    step = 0.7 / len(measured)
    for number, (name, of) in enumerate(zip(shown, measured.values(), strict=True)):
        y = np.arange(len(labels)) + step * (number - (len(measured) - 1) / 2)
        spreads = [of[class_measure(label)] for label in labels]
        _points(axes, spreads, y.tolist(), colour(number), name)
    axes.set_yticks(range(len(labels)), names)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel("F1, percent")
    plain(axes)
    drawing.legend(loc="outside upper left", ncols=ncols)
    return drawing


def _panels(measured: dict[str, Measured], labels: list[str], study: Study) -> Drawing:
    columns = min(_ABREAST, len(labels))
    lines = math.ceil(len(labels) / columns)
    names, shown = list(measured), [fitted(name, 28, 2) for name in measured]
    height = lines * ((0.06 + 0.15 * rows_of(shown)) * len(names) + 0.85) + 0.3
    drawing = Drawing(figsize=(1.8 * columns + inches(shown) + 0.6, height), layout="constrained")
    grid = drawing.subplots(lines, columns, squeeze=False, sharey=True)
    for axes, label in zip(grid.flat, labels, strict=False):
        of = [measured[name][class_measure(label)] for name in names]
        if study.reference:
            base = measured[study.reference.name][class_measure(label)].mean
            axes.axvline(100 * base, color=FAINT, linewidth=1, linestyle=":", zorder=0)
        y = [float(n) for n in range(len(names))]
        _points(axes, of, y, SERIES[0], None)
        axes.set_title(fitted(label, 20, 2))
        axes.set_yticks(y, shown)
        axes.set_ylim(len(names) - 0.5, -0.5)
        plain(axes)
    for axes in grid.flat[len(labels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:  # the others share its names
        for text, name in zip(axes.get_yticklabels(), names, strict=True):
            text.set_fontweight("bold" if name == study.reference_name else "normal")
    return drawing


def _points(axes: Axes, spreads: list[Spread], y: list[float], shade: str, name: str | None) -> None:
    axes.errorbar(
        [100 * of.mean for of in spreads],
        y,
        xerr=[100 * of.deviation for of in spreads],
        fmt="o",
        color=shade,
        ecolor=shade,
        elinewidth=1.6,
        markersize=5.5,
        markeredgecolor=GROUND,
        markeredgewidth=0.8,
        label=name,
        clip_on=True,
    )
    # A bar that reaches below 0 or above 100 ends there; a point on the edge is seen whole.
    low = min(100 * (of.mean - of.deviation) for of in spreads)
    high = max(100 * (of.mean + of.deviation) for of in spreads)
    before = axes.get_xlim() if len(axes.containers) > 1 else (100.0, 0.0)
    axes.set_xlim(max(-2, min(low - 2, before[0])), min(102, max(high + 2, before[1], 10)))
