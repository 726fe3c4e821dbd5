"""The picture of `benchmarks.scaling`: time and memory over the length and the number of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, ScalarFormatter

from benchmarks.points import NAMES, QUANTITIES, SIZES, Point, exponent, line
from sdt.errors import InputError
from sdt.files import atomic_file

_INK, _FAINT = "#1b2a41", "#6b7785"
_LINES = {"ours": ("#1f6fb2", "o"), "textbook": ("#c9772b", "s")}
_SHORT = FuncFormatter(lambda value, _: f"{value:,g}")
_SHORT_BETWEEN = FuncFormatter(lambda value, _: f"{value:,g}" if f"{value:e}"[0] in "25" else "")
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def picture_kind(path: Path) -> str:
    """The format that a picture's name asks for.

    Raises:
        InputError: The suffix is none of .png, .svg and .pdf.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise InputError(f"{path}: a picture's name ends in .png, .svg or .pdf")
    return kind


def write_figure(path: Path, points: Sequence[Point], note: str) -> None:
    """Draw to a file, whole or not at all; `picture_kind` says which names are good."""
    kind = picture_kind(path)
    figure = scaling_figure(points, note)
    with atomic_file(path) as aside, mpl.rc_context({"svg.hashsalt": "sdt"}):
        figure.savefig(aside, format=kind, dpi=90, metadata=_METADATA[kind])


def scaling_figure(points: Sequence[Point], note: str) -> Figure:
    """A row of panels for each sweep: time and memory of training and of prediction, both axes logarithmic."""
    figure = Figure(figsize=(14, 6.4), layout="constrained")
    panels = figure.subplots(len(SIZES), len(QUANTITIES))
    for row, (sweep, (label, _)) in zip(panels, SIZES.items(), strict=True):
        for axes, (title, value) in zip(row, QUANTITIES.items(), strict=True):
            for name in NAMES:
                sizes, values = line(points, sweep, name, value)
                if not sizes:
                    continue
                colour, marker = _LINES[name]
                power = exponent(sizes, values)
                said = name if power is None else f"{name}, exponent {power:.2f}"
                axes.plot(sizes, values, color=colour, marker=marker, markersize=4, label=said)
            _decorate(axes, label, title, [SIZES[sweep][1](point) for point in points if point.sweep == sweep])
    figure.suptitle(note, x=0.01, ha="left", fontsize=9, color=_FAINT)
    return figure


def _decorate(axes: Axes, label: str, title: str, sizes: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.margins(y=0.25)
    axes.set_xticks(sizes, minor=False)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_major_formatter(_SHORT)
    axes.yaxis.set_minor_formatter(_SHORT_BETWEEN)
    axes.set_xlabel(label, color=_FAINT, fontsize=9)
    axes.set_title(title, color=_INK, fontsize=10, loc="left")
    axes.tick_params(labelsize=8, labelcolor=_FAINT, which="both")
    axes.tick_params(axis="x", rotation=45)
    axes.grid(axis="y", which="both", color="#e6e9ed", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=8)
