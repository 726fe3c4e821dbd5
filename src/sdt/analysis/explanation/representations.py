"""Figure and table of embedding spaces: features above, the model's representations below.

points = sdt.analysis.explanation.embeddings.embed(model, corpus, corpus.split("test"))
figure(points, "MELD, split test").savefig("representations.png")
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sdt.analysis.explanation.embeddings import NEIGHBOURS, Embeddings, EmbeddingSpace
from sdt.evaluation.figure import FAINT, INK, fitted, save_figure
from sdt.evaluation.table import Grid
from sdt.prediction.display import STYLES

_ONE_COLUMN = 11
"""Maximum number of labels in a legend with one column; more labels have two columns."""
_PANEL = 3.1
"""Size of a panel in inches."""
_PRINTED = {
    "white": "#9aa5b1",
    "bright_yellow": "#e3b505",
    "yellow": "#f07f2e",
    "bright_magenta": "#d6519f",
    "bright_red": "#c8283a",
    "red": "#7a2733",
    "green": "#4f9d69",
    "magenta": "#7b5ea7",
    "bright_blue": "#2a6f97",
}
"""Terminal colour name to a shade that is legible on white."""
_OTHERS = ("#35b0ab", "#8c6d46", "#5b8c1a", "#a8b8f0", "#3c3f58", "#e8998d")
"""Colours of labels without a terminal colour, in order."""


def write_representations(path: Path, points: Embeddings, title: str = "") -> None:
    """Draw the figure to a file; see `figure`.

    Raises:
        InputError: The suffix of the file is not .png, .svg or .pdf.
    """
    save_figure(path, figure(points, title))


def figure(points: Embeddings, title: str = "") -> Figure:
    """Draw a column for each modality and one for the fused space; colours are the annotated emotions.

    The measures above each panel are computed in the original space and not in the projection: the mean silhouette, and
    the purity of the nearest neighbours with its chance level.

    Args:
        points: Result of `sdt.analysis.explanation.embeddings.embed`.
        title: Title of the figure.

    Returns:
        A figure without a window; save it with `figure.savefig(...)` or `sdt.evaluation.figure.save_figure`.
    """
    modalities = list(dict.fromkeys(space.modality for space in points.spaces if space.modality is not None))
    columns = len(modalities) + 1
    size = (_PANEL * columns + 0.2, 2 * (_PANEL + 0.55) + 0.9)
    picture = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1))
    grid = picture.add_gridspec(2, columns)
    palette = colours(points.labels)
    for space in points.spaces:
        column = columns - 1 if space.modality is None else modalities.index(space.modality)
        axes = picture.add_subplot(grid[0 if space.stage == "features" else 1, column])
        _panel(axes, space, points, palette)
    _legend(picture.add_subplot(grid[0, columns - 1]), points, palette)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    return picture


def grid(points: Embeddings, title: str) -> Grid:
    """Create a table of the measures of every space.

    Args:
        points: Result of `sdt.analysis.explanation.embeddings.embed`.
        title: Title of the table.
    """
    k = NEIGHBOURS
    return Grid(
        f"{title}\npurity: percentage of the {k} nearest neighbours with the same emotion",
        ("space", "n", "silhouette", "purity", "elsewhere", "chance"),
        [
            (
                space.name,
                f"{len(space.rows):,}",
                *(
                    ("–",) * 4
                    if space.separation is None
                    else (
                        _number(space.separation.silhouette, "+.3f"),
                        *(
                            _number(100 * share, ".1f")
                            for share in (
                                space.separation.purity,
                                space.separation.purity_elsewhere,
                                space.separation.chance,
                            )
                        ),
                    )
                ),
            )
            for space in points.spaces
        ],
    )


def _panel(axes: Axes, space: EmbeddingSpace, points: Embeddings, palette: dict[str, str]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#d5dbe2")
    axes.set_box_aspect(1)
    axes.set_title(
        f"{fitted(space.name, 36)}\n", loc="left", fontsize=10, fontweight="bold", color=INK, parse_math=False
    )
    if space.xy is None or space.separation is None:
        text = f"{len(space.rows)} utterances:\ntoo few for a projection"
        axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, color=FAINT, transform=axes.transAxes)
        return
    label = points.label[space.rows]
    frequent_first = np.argsort(-np.bincount(points.label, minlength=len(points.labels)), kind="stable")
    size = float(np.clip(5000 / len(label), 8, 26))
    # Frequent emotions are drawn first, so that they do not cover rare ones.
    for order, c in enumerate(frequent_first.tolist()):
        xy = space.xy[label == c]
        colour = palette[points.labels[c]]
        axes.scatter(
            xy[:, 0], xy[:, 1], s=size, color=colour, alpha=0.8, linewidths=0.3, edgecolors="white", zorder=2 + order
        )
    reach = np.abs(space.xy - (centre := (space.xy.max(0) + space.xy.min(0)) / 2)).max() * 1.06
    axes.set_xlim(centre[0] - reach, centre[0] + reach)
    axes.set_ylim(centre[1] - reach, centre[1] + reach)
    of = space.separation
    text = f"silhouette {_number(of.silhouette, '+.2f')} · purity {_number(of.purity, '.0%')}, chance {of.chance:.0%}"
    axes.annotate(text, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5, color=FAINT)


def _legend(axes: Axes, points: Embeddings, palette: dict[str, str]) -> None:
    """Draw the legend in the free cell of the grid."""
    axes.set_axis_off()
    counts = np.bincount(points.label, minlength=len(points.labels))
    one = len(points.labels) <= _ONE_COLUMN
    letters = 30 if one else 16
    handles = [
        axes.plot([], [], "o", color=palette[label], markersize=6, label=f"{fitted(label, letters)} ({count:,})")[0]
        for label, count in zip(points.labels, counts.tolist(), strict=True)
    ]
    legend = axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 1.02),
        frameon=False,
        fontsize=9 if one else 7.5,
        labelspacing=0.5 if one else 0.25,
        columnspacing=0.8,
        ncols=1 if one else 2,
        labelcolor=INK,
        handletextpad=0.3,
        borderaxespad=0,
    )
    legend.set_in_layout(False)  # a long name must not shrink the panels
    for entry in legend.get_texts():
        entry.set_parse_math(False)
    k = next((space.separation.neighbours for space in points.spaces if space.separation), 0)
    text = (
        f"t-SNE, perplexity {points.perplexity:.3g}, seed {points.seed}. Measures are computed in the original spaces; "
        f"purity: share of the {k} nearest neighbours with the same emotion."
    )
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.supxlabel(
        textwrap.fill(text, int(figure.get_size_inches()[0] * 13)), x=0.01, ha="left", fontsize=8.5, color=FAINT
    )


def _number(value: float, form: str) -> str:
    return "–" if value != value else format(value, form)


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Assign a colour to each label; colours are different as long as there are enough.

    Args:
        labels: All labels of a model, so that a label has the same colour in all figures of the model.

    Example:
        >>> colours(["joy", "calm", "happy"])
        {'joy': '#e3b505', 'calm': '#35b0ab', 'happy': '#8c6d46'}
    """
    found: dict[str, str] = {}
    for label in labels:
        own = _PRINTED.get(STYLES.get(label.lower(), ""))
        free = [colour for colour in (*_OTHERS, *_PRINTED.values()) if colour not in found.values()]
        named = {_PRINTED[STYLES[of.lower()]] for of in labels if of.lower() in STYLES}
        unnamed = [colour for colour in free if colour not in named] or free
        again = [*_OTHERS, *_PRINTED.values()][len(found) % (len(_OTHERS) + len(_PRINTED))]
        found[label] = own if own and own not in found.values() else unnamed[0] if unnamed else again
    return found
