"""Figure of the F1 of every class, and the section on confusion matrices.

Shapes: C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle

from sdt.evaluation.figure import fitted, inches, legend_columns, rows_of
from sdt.evaluation.figure_confusions import shares
from sdt.evaluation.metrics import class_measure
from sdt.evaluation.seeds import Spread
from sdt.evaluation.significance import align
from sdt.evaluation.system import System
from sdt.experiments.report.document import Block, Figure, Note, Section
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import (
    COLD,
    FAINT,
    GROUND,
    HEAT,
    INK,
    RULE,
    SERIES,
    colour,
    plain,
    render,
    style,
)
from sdt.experiments.results import Measured

_ROWS_IN_PANEL = 4
"""Maximum number of rows in one panel; with more rows, every class has a panel."""
_PANELS_ABREAST = 4
_MATRICES_ABREAST = 2
_MANY_CLASSES = 12
"""Matrices of more classes stand one below the other, in a larger size."""
_CLASSES_WIDTH, _MATRIX_WIDTH = 9.2, 9.6
"""Inches of the figures."""
_CELL = 0.5
"""Maximum width of a cell, in inches."""
_NARROWEST = 2.4
"""Minimum width of a column of matrices, in inches, so that names fit above a small matrix."""


def class_figure(study: Study) -> Figure:
    """A point for every row and class: mean over runs, with the standard deviation as a bar."""
    rows = study.rows
    summary = rows[0].group.summary(study.split)
    labels = [label for label in summary.classes if label not in summary.absent]
    measured = {row.name: found for row in rows if (found := row.measured(study.split))}
    with style():
        drawing = _beside(measured, labels) if len(rows) <= _ROWS_IN_PANEL else _panels(measured, labels, study)
    best = {label: text for label in labels if (text := _best(measured, class_measure(label)))}
    return Figure(
        "classes-figure",
        f"F1 of every class on {study.split}",
        "Points are means over the runs, bars one standard deviation to either side. Rows with one run have no bar."
        + (" The dotted line is the reference." if len(rows) > _ROWS_IN_PANEL else ""),
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
    ncols = legend_columns(shown, _CLASSES_WIDTH)
    height = 0.7 + 0.2 * math.ceil(len(shown) / ncols) + len(labels) * (0.22 + 0.16 * len(measured))
    drawing = Drawing(figsize=(_CLASSES_WIDTH, height), layout="constrained")
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
    columns = min(_PANELS_ABREAST, len(labels))
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


def confusions(study: Study) -> Section | None:
    """None if no row has predictions."""
    found = {name: system for name, system in study.systems.items() if isinstance(system, System)}
    if not found:
        return None
    notes: list[Block] = [Note(f"{name}: {s}.") for name, s in study.systems.items() if not isinstance(s, System)]
    leading = [found[row.name] for row in study.leading if row.name in found]
    blocks: list[Block] = [*notes]
    if study.comparisons:
        first = study.comparisons[0].reference
        others = [comparison.other for comparison in study.comparisons]
        blocks += [_matrices([first], "confusions"), _differences(first, align([first, *others])[1:])]
    elif leading:
        blocks += [_matrices([system], f"confusions-{n}") for n, system in enumerate(leading, start=1)]
    return Section("Confusion matrices", blocks)


def _matrices(systems: list[System], name: str) -> Figure:
    (system,) = systems
    share = shares(system)
    labels = system.labels
    support = np.bincount(system.true, minlength=len(labels))  # [C]
    with style():
        names = [f"{fitted(n, 24)} ({count:,})" for n, count in zip(labels, support, strict=True)]
        left, below = _room(labels, names)
        cell = min(0.62, (_MATRIX_WIDTH - left) / len(labels))
        size = (cell * len(labels) + left + 0.6, cell * len(labels) + below + 0.5)
        drawing = Drawing(figsize=size, layout="constrained")
        axes = drawing.add_subplot()
        _matrix(axes, share, labels, cell / 0.55, signed=False)
        axes.set_yticks(range(len(labels)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("annotated (utterances)")
    worst = share.copy()
    np.fill_diagonal(worst, 0)
    a, b = np.unravel_index(int(worst.argmax()), worst.shape)
    return Figure(
        name,
        f"Confusion matrix of {system.name}",
        "Percent of the utterances of a class (row) that are predicted as each class (column)"
        f"{', mean over the runs' if system.runs > 1 else ''}. The diagonal is the recall.",
        "Recall: "
        + ", ".join(f"{label} {100 * share[n, n]:.1f}" for n, label in enumerate(labels))
        + f". The most frequent confusion: {100 * worst[a, b]:.1f} % of {labels[a]} as {labels[b]}",
        render(drawing, name),
    )


def _differences(first: System, others: list[System]) -> Figure:
    """A small matrix for each other row: its percentages minus those of the reference."""
    labels = first.labels
    before = shares(first)
    columns = min(_MATRICES_ABREAST if len(labels) <= _MANY_CLASSES else 1, len(others))
    lines = math.ceil(len(others) / columns)
    names = [fitted(label, 24) for label in labels]
    left, below = _room(labels, names)
    cell = min(_CELL, (_MATRIX_WIDTH - left) / columns / len(labels))
    side = cell * len(labels)
    column = max(side, _NARROWEST)
    letters = int(column / 0.09)
    with style():
        size = (columns * (column + 0.15) + left, lines * (side + below + 0.75))
        drawing = Drawing(figsize=size, layout="constrained")
        grid = drawing.subplots(lines, columns, squeeze=False, sharey=True)
        for axes, other in zip(grid.flat, others, strict=False):
            _matrix(axes, shares(other) - before, labels, cell / 0.55, signed=True)
            title = fitted(f"{other.name} − {first.name}", letters)
            if "…" in title:
                title = f"{fitted(other.name, letters)}\n− {fitted(first.name, letters - 2)}"
            axes.set_title(title)
            axes.set_yticks(range(len(labels)), names)
        for axes in grid.flat[len(others) :]:
            axes.set_axis_off()
    return Figure(
        "confusions-differences",
        f"Differences in the confusion matrix to {first.name}",
        "Percentage points of the utterances of a class (row) that are predicted as each class (column) more often "
        f"(blue) or less often (red) than by {first.name}. On the diagonal, more is better; elsewhere, less is better.",
        "Change of recall in points: "
        + "; ".join(
            f"{other.name}: " + ", ".join(f"{label} {100 * d:+.1f}" for label, d in zip(labels, change, strict=True))
            for other in others
            for change in [np.diagonal(shares(other) - before)]
        ),
        render(drawing, "confusions-differences"),
    )


def _room(labels: Sequence[str], names: Sequence[str]) -> tuple[float, float]:
    """Inches for the names on the left, and for the slanted names below."""
    return inches(names) + 0.25, 0.65 * inches(fitted(label, 24) for label in labels) + 0.35


def _matrix(
    axes: Axes, values: npt.NDArray[np.float64], labels: tuple[str, ...], scale: float, *, signed: bool
) -> None:
    """Cells are patches of one colour with varying opacity, so that they are readable on any background."""
    C = len(labels)
    most = max(0.25, float(np.abs(values).max())) if signed else 1.0
    for (row, column), value in np.ndenumerate(values):
        strength = min(1.0, abs(float(value)) / most) * 0.9
        if strength > 0.01:
            shade = COLD if value < 0 else HEAT
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, color=shade, alpha=round(strength, 2), linewidth=0)
            )
        text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
        faint = text.strip("+-") == "0.0"
        axes.text(
            column,
            row,
            "0" if faint else text.replace("-", "−"),
            ha="center",
            va="center_baseline",
            fontsize=8.5 * min(1.0, scale),
            fontweight="bold" if row == column else "normal",
            color=INK,
            alpha=0.45 if faint else 1,
            in_layout=False,
        )
    axes.set_xlim(-0.5, C - 0.5)
    axes.set_ylim(C - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.hlines(np.arange(1, C) - 0.5, -0.5, C - 0.5, color=RULE, linewidth=0.8)
    axes.vlines(np.arange(1, C) - 0.5, -0.5, C - 0.5, color=RULE, linewidth=0.8)
    axes.set_xticks(range(C), [fitted(label, 24) for label in labels], rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(labelsize=min(9.5, 14 * scale))
    axes.spines[:].set_color(RULE)
