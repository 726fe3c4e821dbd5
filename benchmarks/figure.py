"""The picture of `benchmarks.scaling`: time and memory over the length and the number of conversations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from benchmarks.points import LENGTH, NAMES, Point, median_ms
from sdt.errors import InputError
from sdt.files import atomic_file

_INK, _FAINT = "#1b2a41", "#6b7785"
_LINES = {"ours": ("#1f6fb2", "o"), "textbook": ("#c9772b", "s")}
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_ROWS: dict[str, tuple[str, Callable[[Point], int]]] = {
    "length": ("utterances per conversation (as many in all)", lambda point: point.lengths[0]),
    "conversations": (f"conversations of {LENGTH} utterances", lambda point: len(point.lengths)),
}
_COLUMNS: dict[str, Callable[[Point, str], float]] = {
    "training step, ms": lambda point, name: median_ms(point.training, name),
    "prediction, ms": lambda point, name: median_ms(point.prediction, name),
    "peak memory of training, MiB": lambda point, name: point.training_memory[name] / 2**20,
}


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
        figure.savefig(aside, format=kind, dpi=150, metadata=_METADATA[kind])


def scaling_figure(points: Sequence[Point], note: str) -> Figure:
    """A row of panels for each sweep: training, prediction, memory."""
    figure = Figure(figsize=(12, 6.8), layout="constrained")
    panels = figure.subplots(len(_ROWS), len(_COLUMNS))
    for row, (sweep, (label, size)) in zip(panels, _ROWS.items(), strict=True):
        chosen = [point for point in points if point.sweep == sweep]
        for axes, (title, value) in zip(row, _COLUMNS.items(), strict=True):
            sizes = [size(point) for point in chosen]
            values = {name: [value(point, name) for point in chosen] for name in NAMES}
            for name, of in values.items():
                colour, marker = _LINES[name]
                axes.plot(sizes, of, color=colour, marker=marker, markersize=4, label=name)
            _decorate(axes, label, title, sizes, max(max(of) for of in values.values()))
    panels[0, 0].legend(frameon=False, labelcolor=_INK)
    figure.suptitle(note, x=0.01, ha="left", fontsize=9, color=_FAINT)
    return figure


def _decorate(axes: Axes, label: str, title: str, sizes: Sequence[int], highest: float) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, minor=False)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylim(bottom=0, top=1.08 * highest)
    axes.set_xlabel(label, color=_FAINT, fontsize=9)
    axes.set_title(title, color=_INK, fontsize=10, loc="left")
    axes.tick_params(labelsize=8, labelcolor=_FAINT)
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
