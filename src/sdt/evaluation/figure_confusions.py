"""Figure of the confusion matrices of a reference and another system, and of their difference.

Shapes: C classes, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from sdt.evaluation.figure import FAINT, INK, fitted, inches, save_figure
from sdt.evaluation.system import System

_CELL = 0.56
"""Size of a cell in inches, for `-100.0`."""
_LARGEST = 9.0
"""Maximum size of a matrix in inches; with many classes, cells and their text are smaller."""
_NARROWEST = 2.2
"""Minimum width of a column in inches, for the names above a small matrix."""
_REACH = 0.25
"""Minimum range of the colour scale of differences."""


def write_confusions(path: Path, reference: System, others: Sequence[System], title: str) -> None:
    """Draw the confusion matrices of systems next to that of the reference, one row per system.

    Args:
        path: The figure file; its suffix (.png, .svg, .pdf) sets the format.
        reference: The system on the left.
        others: Systems on the same test set, with the same labels in the same order.
        title: Title of the figure.

    Raises:
        InputError: The suffix is not supported.
    """
    save_figure(path, confusions_figure(reference, others, title))


def confusions_figure(reference: System, others: Sequence[System], title: str) -> Figure:
    """Draw the figure; arguments as in `write_confusions`.

    Cells contain the percentage of the row's class that is predicted as the column's class, averaged over the runs; on
    the right, the difference of the other system from the reference in points.
    """
    C = len(reference.labels)
    cell = min(_CELL, _LARGEST / C)
    side = cell * C
    names = [fitted(label, 24) for label in reference.labels]
    column = max(side, _NARROWEST)
    letters = int(column / 0.095)
    slanting = 0.65 * inches(names, 9)
    size = (3 * column + inches(names, 9) + 2.2, len(others) * (side + slanting + 1.35) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    axes = figure.subplots(len(others), 3, squeeze=False, sharey=True)
    before = shares(reference)
    for row, other in zip(axes, others, strict=True):
        after = shares(other)
        scale = cell / _CELL
        for at, share, name in ((row[0], before, reference.name), (row[1], after, other.name)):
            _matrix(at, share, fitted(name, letters, 3), "Blues", (0, 1), scale)
        reach = max(_REACH, float(np.abs(after - before).max()))
        difference = fitted(f"{other.name} - {reference.name}", letters)
        if "…" in difference:
            difference = f"{fitted(other.name, letters)}\n- {fitted(reference.name, letters - 2)}"
        picture = _matrix(row[2], after - before, difference, "RdBu", (-reach, reach), scale)
        for at in row:
            at.set_xticks(range(C), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
            at.set_yticks(range(C), names, parse_math=False)
            at.set_xlabel("predicted", color=FAINT)
        row[0].set_ylabel("annotated", color=FAINT)
        bar = figure.colorbar(picture, ax=row[2], shrink=0.8, aspect=24, format="{x:+.0%}")
        bar.set_label("share of the annotated class", color=FAINT)
        bar.outline.set_visible(False)
    return figure


def shares(system: System) -> npt.NDArray[np.float64]:
    """Share of each annotated class (row) that is predicted as each class (column), averaged over the runs, [C, C]."""
    C = len(system.labels)
    cells = system.true * C + system.predicted  # [R, N]
    confusion = np.bincount(cells.ravel(), minlength=C * C).reshape(C, C)
    found: npt.NDArray[np.float64] = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return found


def _matrix(
    axes: Axes, values: npt.NDArray[np.float64], name: str, colours: str, limits: tuple[float, float], scale: float
) -> AxesImage:
    picture = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1])
    signed = limits[0] < 0
    for (row, column), value in np.ndenumerate(values):
        dark = abs(value) > (0.7 if signed else 0.55) * limits[1]
        text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
        axes.text(
            column,
            row,
            "0" if text.strip("+-") == "0.0" else text,
            ha="center",
            va="center",
            fontsize=8.5 * scale,
            fontweight="bold" if row == column else "normal",
            color="white" if dark else INK,
        )
    axes.set_title(name, fontsize=10, fontweight="bold", color=INK, loc="left", parse_math=False)
    axes.tick_params(length=0, labelsize=9 * min(1.0, 1.6 * scale))
    axes.spines[:].set_visible(False)
    return picture
