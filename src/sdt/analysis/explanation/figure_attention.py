"""Figure of all attention maps of one layer: a grid of target by source modality.

Shapes: T utterances; M modalities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from sdt.analysis.explanation.attention import Maps
from sdt.analysis.explanation.explanation import Explanation
from sdt.analysis.explanation.utterance_rows import MISSING, UtteranceRows, heading, speakers, title
from sdt.evaluation.figure import FAINT, INK, fitted

_CELL, _SMALL, _LARGE = 0.2, 2.0, 5.2
"""Size of an utterance, and minimum and maximum size of a map, in inches."""
HATCH = "#d5dbe2"
"""Colour of the hatching."""


def attention_figure(explanation: Explanation, layer: int) -> Figure:
    """Draw the attention maps of a layer, averaged over the heads.

    Rows of the grid are target modalities, columns source modalities; rows of a map are queries, columns keys. Keys
    that lack the source modality are grey; positions outside the model's context (`model.context`) are hatched. All
    maps have the same colour scale, which is a square root because uniform attention is low in a long conversation.

    Args:
        explanation: The explanation.
        layer: Index in `explanation.attention`.
    """
    maps, names = explanation.attention[layer], list(explanation.modalities)
    T, M = len(explanation.conversation), len(names)
    side = float(np.clip(_CELL * T, _SMALL, _LARGE if M > 1 else 2 * _LARGE))
    rows = UtteranceRows.of(T, side / T, side)
    figure = Figure(figsize=((side + 0.35) * M + 1.8, (side + 0.6) * M + 1.6), layout="constrained")
    grid = figure.subplots(M, M, squeeze=False)
    highest = max((float(of.mean(axis=0).max()) for of in maps.values()), default=1.0)
    picture: AxesImage | None = None
    for t, target in enumerate(names):
        for s, source in enumerate(names):
            axes = grid[t, s]
            if (target, source) not in maps:
                axes.set_axis_off()
                continue
            picture = _map(axes, maps, (target, source), explanation, highest)
            _name(axes, explanation, rows, left=s == 0 or (target, names[s - 1]) not in maps, below=t == M - 1)
            letters = max(8, int(side / 0.1 / 2))
            heading(axes, f"{fitted(target, letters)} ← {fitted(source, letters)}")
    assert picture is not None
    bar = figure.colorbar(picture, ax=grid, shrink=0.6 if M > 1 else 0.8, aspect=30, pad=0.015, format="{x:.0%}")
    bar.set_label("attention, mean over the heads", color=FAINT)
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=FAINT)
    bar.outline.set_visible(False)
    of = f", layer {layer + 1}" if len(explanation.attention) > 1 else ""
    outside = "; hatched: outside the context" if explanation.context.causal else ""
    text = f"attention, target ← source{of}; row: query, column: key; grey: missing{outside}"
    title(figure, explanation, text)
    return figure


def _map(axes: Axes, maps: Maps, pair: tuple[str, str], explanation: Explanation, highest: float) -> AxesImage:
    there = explanation.present[:, explanation.modalities.index(pair[1])]  # [T]
    mean = np.ma.array(maps[pair].mean(axis=0), mask=np.broadcast_to(~there, (len(there), len(there))))
    axes.set_facecolor(MISSING)
    picture = axes.imshow(mean, cmap="Blues", norm=PowerNorm(0.5, 0, highest), interpolation="nearest")
    if not there.any():
        axes.text(
            0.5,
            0.5,
            f"no utterance\nhas {pair[1]}",
            ha="center",
            va="center",
            fontsize=9,
            color=FAINT,
            transform=axes.transAxes,
            parse_math=False,
        )
    if explanation.context.causal:
        _beyond(axes, len(there), explanation.context.window)
    axes.spines[:].set_color("#d5dbe2")
    return picture


def _beyond(axes: Axes, T: int, window: int | None) -> None:
    """Hatch the positions outside the context: later utterances, and those before the window."""
    edges, row = np.arange(T + 1) - 0.5, np.minimum(np.arange(T + 1), T - 1)
    style: dict[str, Any] = {"step": "post", "facecolor": "white", "edgecolor": HATCH, "hatch": "////", "linewidth": 0}
    axes.fill_betweenx(edges, row + 0.5, T - 0.5, **style)
    if window is not None:
        axes.fill_betweenx(edges, -0.5, np.maximum(row - window + 0.5, -0.5), **style)
    axes.set(xlim=(-0.5, T - 0.5), ylim=(T - 0.5, -0.5))


def _name(axes: Axes, explanation: Explanation, rows: UtteranceRows, *, left: bool, below: bool) -> None:
    """Label rows with number and speaker, and columns with numbers; only every 50th if space is limited."""
    T = len(explanation.conversation)
    style = {"labelsize": rows.font or 7.5, "labelcolor": INK, "length": 0, "pad": 2}
    ticks = list(range(T)) if rows.font else [0, *range(49, T, 50)]
    numbers = [str(i + 1) for i in ticks]
    axes.set_xticks(ticks, numbers if below else [], rotation=90 if rows.font and T > 9 else 0)
    names = speakers(explanation.conversation) if rows.font else numbers
    axes.set_yticks(ticks, names if left else [], parse_math=False)
    axes.tick_params(axis="both", **style)
    if below and not rows.font:
        axes.set_xlabel(f"{T} utterances (too many for names)", fontsize=8, color=FAINT)
