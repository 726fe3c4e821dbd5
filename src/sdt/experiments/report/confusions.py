"""Section on confusion matrices: the reference, and the differences of the other rows.

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

from sdt.evaluation.figure import fitted, inches
from sdt.evaluation.figure_confusions import shares
from sdt.evaluation.significance import align
from sdt.evaluation.system import System
from sdt.experiments.report.document import Block, Figure, Note, Section
from sdt.experiments.report.study import Study
from sdt.experiments.report.svg import COLD, HEAT, INK, RULE, render, style

_WIDTH = 9.6
"""Inches of the figures."""
_CELL = 0.5
"""Inches, at most."""
_ABREAST = 2
_MANY = 12
"""Classes; matrices of more stand one below the other, in a larger size."""
_NARROWEST = 2.4
"""Inches of a column, so that there is room for names above a small matrix."""


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
        cell = min(0.62, (_WIDTH - left) / len(labels))
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
        "Percent of the annotated class (row) that is predicted as a class (column), the mean over "
        f"{'the runs' if system.runs > 1 else 'the one run'}; the diagonal is the recall.",
        "Recall: "
        + ", ".join(f"{label} {100 * share[n, n]:.1f}" for n, label in enumerate(labels))
        + f". The most frequent confusion: {100 * worst[a, b]:.1f} % of {labels[a]} as {labels[b]}",
        render(drawing, name),
    )


def _differences(first: System, others: list[System]) -> Figure:
    """Small matrices of what each other row predicts more and less often."""
    labels = first.labels
    before = shares(first)
    columns = min(_ABREAST if len(labels) <= _MANY else 1, len(others))
    lines = math.ceil(len(others) / columns)
    names = [fitted(label, 24) for label in labels]
    left, below = _room(labels, names)
    cell = min(_CELL, (_WIDTH - left) / columns / len(labels))
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
        f"What the other rows do differently from {first.name}",
        "Points of the annotated class (row) that are predicted as a class (column) more often (blue) or less often "
        f"(red) than by {first.name}. On the diagonal more is better, elsewhere less.",
        "Change of recall in points: "
        + "; ".join(
            f"{other.name}: " + ", ".join(f"{label} {100 * d:+.1f}" for label, d in zip(labels, change, strict=True))
            for other in others
            for change in [np.diagonal(shares(other) - before)]
        ),
        render(drawing, "confusions-differences"),
    )


def _room(labels: Sequence[str], names: Sequence[str]) -> tuple[float, float]:
    """Inches for the names on the left, and for those that slant below."""
    return inches(names) + 0.25, 0.65 * inches(fitted(label, 24) for label in labels) + 0.35


def _matrix(
    axes: Axes, values: npt.NDArray[np.float64], labels: tuple[str, ...], scale: float, *, signed: bool
) -> None:
    """Cells as patches of one colour, more or less of it, so that they are readable on any ground."""
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
