"""Helpers to write figures to files, and the figure of a confusion matrix.

Shapes: C classes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdt.errors import InputError
from sdt.files import atomic_file

# Without a date, files of the same figure are byte-identical.
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_CELL = 0.86
"""Size of a cell in inches, for `100.0` and a count of seven digits."""
_LARGEST = 24.0
"""Maximum size of a matrix in inches; with many classes, cells and their text are smaller."""
INK, FAINT = "#1b2a41", "#6b7785"
"""Text colours."""
COLOURS = ("#2a6f97", "#d1495b", "#e09f3e", "#4f9d69", "#7b5ea7", "#6b7785")
"""Colours of systems in a figure, in order and repeating."""


def fitted(name: str, letters: int, lines: int = 1) -> str:
    """Wrap a name into lines of a maximum length; the middle of a longer name is elided, as names often differ last.

    Example:
        >>> fitted("a label with a long name, number 7", 20)
        'a label wi…, number 7'
    """
    text, most = " ".join(name.split()), letters * lines
    while True:
        half = (most - 1) // 2
        cut = text if len(text) <= most else f"{text[: most - 1 - half].rstrip()}…{text[len(text) - half :].lstrip()}"
        found = textwrap.wrap(cut, letters) or [""]
        if len(found) <= lines:
            return "\n".join(found)
        most -= 1


def inches(names: Iterable[str], size: float = 9.5) -> float:
    """Approximate width in inches of the longest line of names at a font size in points."""
    return max((len(line) for name in names for line in name.split("\n")), default=0) * size * 0.0085


def rows_of(names: Iterable[str]) -> int:
    """The maximum number of lines of the names."""
    return max((name.count("\n") + 1 for name in names), default=1)


def legend_columns(names: Sequence[str], width: float) -> int:
    """The number of legend columns that fit into a width in inches."""
    return max(1, min(len(names), int(width / (inches(names) + 0.55))))


def write_confusion(path: Path, confusion: npt.NDArray[np.int64], labels: Sequence[str], title: str) -> None:
    """Draw a confusion matrix to a file, atomically.

    Args:
        path: The figure file; its suffix (.png, .svg, .pdf) sets the format.
        confusion: [C, C] counts; rows are annotated classes, columns predicted ones.
        labels: The C class names.
        title: Title; the first of several lines is the heading.

    Raises:
        InputError: The suffix is not supported.
    """
    check_figure_path(path)
    save_figure(path, confusion_figure(confusion, labels, title))


def check_figure_path(path: Path) -> None:
    """Check the suffix of a figure file.

    Raises:
        InputError: The suffix is not .png, .svg or .pdf.
    """
    if path.suffix.lower().removeprefix(".") not in _METADATA:
        raise InputError(f"{path}: unsupported figure format {path.suffix!r}; use .png, .svg or .pdf")


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure atomically in the format of the suffix; files of the same figure are byte-identical.

    Raises:
        InputError: See `check_figure_path`.
    """
    check_figure_path(path)
    kind = path.suffix.lower().removeprefix(".")
    with atomic_file(path) as aside, mpl.rc_context({"svg.hashsalt": "sdt"}):
        figure.savefig(aside, format=kind, dpi=160, bbox_inches="tight", pad_inches=0.2, metadata=_METADATA[kind])


def confusion_figure(confusion: npt.NDArray[np.int64], labels: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix; arguments as in `write_confusion`.

    Cells are coloured by their share of the row, so the diagonal shows the recall of every class; they contain the
    share in percent and the count.
    """
    C = len(labels)
    support = confusion.sum(axis=1)  # [C]
    share = confusion / np.maximum(support, 1)[:, None]  # [C, C]
    cell = min(_CELL, _LARGEST / C)
    left = [f"{fitted(name, 24, 3)}\n{n:,}" for name, n in zip(labels, support.tolist(), strict=True)]
    lying, below = _below(labels, cell)
    room = 0.17 * rows_of(below) if lying else 0.7 * inches(below, 10)
    size = (cell * C + inches(left, 10) + 1.9, cell * C + room + 1.3)
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.add_subplot()
    picture = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        _cell(axes, row, column, float(share[row, column]), int(count), scale=cell / _CELL)

    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "va": "top", "rotation_mode": "anchor"}
    axes.set_xticks(range(C), below, fontsize=10, parse_math=False, **({} if lying else slant))
    axes.set_yticks(range(C), left, fontsize=10, parse_math=False)
    axes.set_xlabel("predicted", labelpad=8, color=FAINT)
    axes.set_ylabel("annotated (utterances)", labelpad=8, color=FAINT)
    # White lines between the cells.
    axes.set_xticks(np.arange(C + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(C + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)

    bar = figure.colorbar(picture, ax=axes, shrink=0.7, aspect=28, pad=0.02, format="{x:.0%}")
    bar.set_label("share of the annotated class", color=FAINT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=9, labelcolor=FAINT)
    # Added after the layout: a heading wider than a small matrix must not move the colour bar.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    _head(axes, title, columns=max(50, int(cell * C * 12)))
    return figure


def _cell(axes: Axes, row: int, column: int, share: float, count: int, *, scale: float) -> None:
    """Write a cell's share in percent and its count; a faint 0 if the count is 0."""
    # Excluded from the layout, which would take long with many classes.
    style: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
    if count == 0:
        axes.text(column, row, "0", fontsize=8 * scale, color="#a8b2bd", **style)
        return
    style["color"] = "white" if share > 0.55 else INK
    weight = "bold" if row == column else "normal"
    axes.text(column, row - 0.09, f"{100 * share:.1f}", fontsize=11 * scale, fontweight=weight, **style)
    axes.text(column, row + 0.19, f"{count:,}", fontsize=8 * scale, alpha=0.85, **style)


def _below(labels: Sequence[str], cell: float) -> tuple[bool, list[str]]:
    """Whether the class names below a matrix are horizontal (they fit into the cells) or slanted, and the names."""
    lying = [textwrap.fill(label, 11, break_long_words=False) for label in labels]
    if cell == _CELL and rows_of(lying) <= 3 and inches(lying, 10) < 1.1 * cell:
        return True, lying
    return False, [fitted(label, 28) for label in labels]


def _head(axes: Axes, title: str, *, columns: int) -> None:
    """Write the heading and the lines below it, left-aligned with the matrix."""
    heading, *rest = title.split("\n")
    below = "\n".join(textwrap.fill(line, columns) for line in rest)
    style: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "ha": "left",
        "parse_math": False,
    }
    axes.annotate(below, (0, 1), (0, 10), va="bottom", fontsize=10, color=FAINT, linespacing=1.3, **style)
    height = 16 + 14 * (below.count("\n") + 1) if below else 10
    axes.annotate(heading, (0, 1), (0, height), va="bottom", fontsize=13, fontweight="bold", color=INK, **style)
