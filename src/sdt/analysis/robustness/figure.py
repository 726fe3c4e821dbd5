"""Figure of robustness curves: one panel per disturbance, one line per group of models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdt.analysis.robustness.report import Robustness, ScoredCurve, format_level
from sdt.evaluation.figure import COLOURS, FAINT, INK, fitted, legend_columns, save_figure

_COLUMNS = 3
"""Maximum number of panels per row."""


def write_curves(path: Path, groups: Sequence[Robustness], title: str) -> None:
    """Draw the curves to a file; see `curves_figure`.

    Raises:
        InputError: The suffix of the file is not .png, .svg or .pdf.
    """
    save_figure(path, curves_figure(groups, title))


def curves_figure(groups: Sequence[Robustness], title: str) -> Figure:
    """Draw weighted F1 by level, as the mean over the runs with its interval as a band.

    Args:
        groups: One or more groups of models.
        title: Title of the figure.
    """
    curves = {name: curve for group in groups for name, curve in group.curves.items()}
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3.7 * columns + 0.4, 2.9 * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, curve) in zip(panels, curves.items(), strict=False):
        for number, group in enumerate(groups):
            if name in group.curves:
                _line(axes, group.curves[name], COLOURS[number % len(COLOURS)])
        levels = list(curve.points)
        axes.set_xticks(levels, [format_level(curve.axis, level) for level in levels])
        axes.set_title(fitted(name, 34, 2), loc="left", fontsize=10, fontweight="bold", color=INK, parse_math=False)
        axes.set_xlabel(curve.axis, fontsize=9, color=FAINT)
        axes.grid(color="#dde3ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=8.5, labelcolor=INK, labelleft=True)
    for axes in panels[::columns]:
        axes.set_ylabel("weighted F1", fontsize=9, color=FAINT)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    names = [fitted(group.name, 40) for group in groups]
    handles = [
        panels[0].plot([], [], "o-", color=COLOURS[number % len(COLOURS)], label=name)[0]
        for number, name in enumerate(names)
    ]
    ncols = legend_columns(names, float(figure.get_size_inches()[0]))
    legend = figure.legend(handles=handles, loc="outside lower left", ncols=ncols, frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _line(axes: Axes, curve: ScoredCurve, colour: str) -> None:
    levels = list(curve.points)
    of = [changed.measures["weighted_f1"] for changed in curve.points.values()]
    axes.plot(levels, [100 * x.spread.mean for x in of], "o-", color=colour, markersize=4)
    axes.fill_between(levels, [100 * x.low for x in of], [100 * x.high for x in of], color=colour, alpha=0.13, lw=0)
