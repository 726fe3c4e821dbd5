"""Figures of `benchmarks.scaling` (growth of time and memory) and `benchmarks.large` (memory over time)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
_PANELS = ("import", "check", "train", "evaluate")
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def figure_format(path: Path) -> str:
    """The format of a figure file.

    Raises:
        InputError: The suffix is not .png, .svg or .pdf.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise InputError(f"{path}: unknown suffix; expected .png, .svg or .pdf")
    return kind


def write_scaling_figure(path: Path, points: Sequence[Point], note: str) -> None:
    """Write the figure of the sweeps atomically; for file names, see `figure_format`."""
    kind = figure_format(path)
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
                label_of_line = name if power is None else f"{name}, exponent {power:.2f}"
                axes.plot(sizes, values, color=colour, marker=marker, markersize=4, label=label_of_line)
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


def write_memory_figure(path: Path, phases: Mapping[str, Any], title: str) -> None:
    """Write the memory over time of each phase atomically; for file names, see `figure_format`."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, phase in zip(panels, _PANELS, strict=True):
        _draw_memory(axes, phase, phases[phase])
    panels[0].set_ylabel("anonymous memory, MiB", color=_FAINT, fontsize=9)
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=8, loc="lower right")
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, color=_FAINT)
    with atomic_file(path) as aside, mpl.rc_context({"svg.hashsalt": "sdt"}):
        figure.savefig(aside, format=figure_format(path), dpi=100)


def _draw_memory(axes: Axes, phase: str, of: Mapping[str, Any]) -> None:
    curve, small = of["large"]["curve"], of["small"]["curve"]
    axes.plot(curve["seconds"], curve["anonymous_mib"], color="#1f6fb2", label="large")
    axes.plot(small["seconds"], small["anonymous_mib"], color="#c9772b", linewidth=1, label="small")
    axes.axhline(of["small"]["peak_anonymous_mib"], color="#c9772b", linewidth=0.8, linestyle=":", label="small, peak")
    axes.set_title(phase, color=_INK, fontsize=10, loc="left")
    axes.set_xlabel("seconds", color=_FAINT, fontsize=9)
    axes.tick_params(labelsize=8, labelcolor=_FAINT)
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
