"""The F1 of every class, row beside row."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sdt.evaluation.counts import of_class
from sdt.experiments.results import Measured, RowResult
from sdt.model.config import FUSED
from sdt.report.document import Figure
from sdt.report.study import Study
from sdt.report.svg import FAINT, GROUND, INK, SERIES, colour, plain, render, style

_BESIDE = 4
"""So many rows share a panel; more have a panel for each class."""
_ABREAST = 4
"""Panels in a line."""


def class_figure(study: Study) -> Figure:
    """A point for every row and class: mean over runs, with the standard deviation as a bar."""
    rows = study.rows
    labels = list(rows[0].group.runs[0].read_scores()[1][study.split][FUSED].classes)
    measured = {row.name: found for row in rows if (found := row.measured(study.split))}
    with style():
        drawing = _beside(measured, labels) if len(rows) <= _BESIDE else _panels(rows, measured, labels, study)
    best = {label: max(measured, key=lambda name: measured[name][of_class(label)].mean) for label in labels}
    return Figure(
        "classes-figure",
        f"F1 of every class on {study.split}",
        "Points are means over the runs, bars one standard deviation to either side; a row of a single run has no bar."
        + (" The dotted line is the reference." if len(rows) > _BESIDE else ""),
        "F1 in percent by class; the highest mean has "
        + ", ".join(
            f"in {label} {name} with {100 * measured[name][of_class(label)].mean:.1f}" for label, name in best.items()
        ),
        render(drawing, "classes-figure"),
    )


def _beside(measured: dict[str, Measured], labels: list[str]) -> Drawing:
    drawing = Drawing(figsize=(9.2, 0.9 + len(labels) * (0.22 + 0.16 * len(measured))), layout="constrained")
    axes = drawing.add_subplot()
    step = 0.7 / len(measured)
    for number, (name, of) in enumerate(measured.items()):
        y = np.arange(len(labels)) + step * (number - (len(measured) - 1) / 2)
        _points(axes, [of[of_class(label)].mean for label in labels], [of[of_class(label)].deviation for label in labels],
                y.tolist(), colour(number), name)  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel("F1, percent")
    plain(axes)
    drawing.legend(loc="outside upper left", ncols=len(measured))
    return drawing


def _panels(rows: list[RowResult], measured: dict[str, Measured], labels: list[str], study: Study) -> Drawing:
    lines = math.ceil(len(labels) / _ABREAST)
    names = list(measured)
    height = lines * (0.2 * len(names) + 0.75) + 0.3
    drawing = Drawing(figsize=(9.6, height), layout="constrained")
    grid = drawing.subplots(lines, _ABREAST, squeeze=False, sharey=True)
    for axes, label in zip(grid.flat, labels, strict=False):
        of = [measured[name][of_class(label)] for name in names]
        if study.reference:
            base = measured[study.reference.name][of_class(label)].mean
            axes.axvline(100 * base, color=FAINT, linewidth=1, linestyle=":", zorder=0)
        y = list(range(len(names)))
        _points(axes, [s.mean for s in of], [s.deviation for s in of], y, SERIES[0], None)
        axes.set_title(label)
        axes.set_yticks(y, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.margins(x=0.12)
        plain(axes)
        if study.reference:
            for text, name in zip(axes.get_yticklabels(), names, strict=True):
                text.set_fontweight("bold" if name == study.reference.name else "normal")
                text.set_color(INK)
    for axes in grid.flat[len(labels) :]:
        axes.set_axis_off()
    return drawing


def _points(
    axes: Axes, means: list[float], deviations: list[float], y: list[float], shade: str, name: str | None
) -> None:
    axes.errorbar(
        [100 * mean for mean in means],
        y,
        xerr=[100 * deviation for deviation in deviations],
        fmt="o",
        color=shade,
        ecolor=shade,
        elinewidth=1.6,
        markersize=5.5,
        markeredgecolor=GROUND,
        markeredgewidth=0.8,
        label=name,
    )
