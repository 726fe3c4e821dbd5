"""The picture of `benchmarks.large`: memory over time, a panel for each process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.figure import picture_kind
from sdt.files import atomic_file

_INK, _FAINT = "#1b2a41", "#6b7785"
_PANELS = ("import", "check", "train", "evaluate")


def write_figure(path: Path, phases: Mapping[str, Any], title: str) -> None:
    """Draw to a file, whole or not at all; `picture_kind` says which names are good."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, phase in zip(panels, _PANELS, strict=True):
        _draw(axes, phase, phases[phase])
    panels[0].set_ylabel("anonymous memory, MiB", color=_FAINT, fontsize=9)
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False, labelcolor=_INK, fontsize=8, loc="lower right")
    figure.suptitle(title, x=0.01, ha="left", fontsize=8, color=_FAINT)
    with atomic_file(path) as aside, mpl.rc_context({"svg.hashsalt": "sdt"}):
        figure.savefig(aside, format=picture_kind(path), dpi=100)


def _draw(axes: Axes, phase: str, of: Mapping[str, Any]) -> None:
    curve, small = of["large"]["curve"], of["small"]["curve"]
    axes.plot(curve["seconds"], curve["anonymous_mib"], color="#1f6fb2", label="large")
    axes.plot(small["seconds"], small["anonymous_mib"], color="#c9772b", linewidth=1, label="small")
    axes.axhline(of["small"]["peak_anonymous_mib"], color="#c9772b", linewidth=0.8, linestyle=":", label="small, peak")
    axes.set_title(phase, color=_INK, fontsize=10, loc="left")
    axes.set_xlabel("seconds", color=_FAINT, fontsize=9)
    axes.tick_params(labelsize=8, labelcolor=_FAINT)
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
