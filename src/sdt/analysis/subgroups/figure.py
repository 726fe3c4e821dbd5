"""Figures of the scores of subgroups and of limited context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdt.analysis.subgroups.classes import Pair
from sdt.analysis.subgroups.report import WHOLE, Analysis
from sdt.evaluation.figure import COLOURS, FAINT, INK, fitted, inches, legend_columns, rows_of, save_figure
from sdt.evaluation.significance import NO_UTTERANCE, Estimate

_ROW = 0.32
"""Height of a part in inches."""


def write_parts(path: Path, analyses: Sequence[Analysis], title: str) -> None:
    """Draw the scores of all parts to a file; see `parts_figure`.

    Raises:
        InputError: The suffix of the file is not .png, .svg or .pdf.
    """
    save_figure(path, parts_figure(analyses, title))


def write_context(path: Path, analyses: Sequence[Analysis], title: str) -> None:
    """Draw the scores of limited context to a file; see `context_figure`.

    Raises:
        InputError: The suffix of the file is not .png, .svg or .pdf.
    """
    save_figure(path, context_figure(analyses, title))


def parts_figure(analyses: Sequence[Analysis], title: str) -> Figure:
    """Draw a panel per division and one for the classes: points are scores of systems on parts, lines their intervals.

    Args:
        analyses: Analyses of systems on the same test set.
        title: Title of the figure.
    """
    panels = list(_panels(analyses))
    rows = (len(panels) + 1) // 2
    tallest = [max(sum(map(rows_of, ([name] for name in parts[0]))) for *_, parts in panels[row * 2 : row * 2 + 2])
               for row in range(rows)]  # fmt: skip
    left = sum(max(inches((name for name in parts[0]), 9) for *_, parts in panels[side::2]) for side in (0, 1))
    figure = Figure(figsize=(8 + left, sum(tallest) * _ROW + rows * 1.0 + 0.8), layout="constrained")
    grid = figure.add_gridspec(rows, 2, height_ratios=[height + 2 for height in tallest])
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(grid[index // 2, index % 2])
        _panel(axes, *panel)
        for number, analysis in enumerate(analyses):
            mean = analysis.whole["weighted_f1"].spread.mean
            if index < len(analyses[0].divisions):
                axes.axvline(100 * mean, color=_colour(number), linewidth=1, linestyle=":", zorder=0)
    _head(figure, title, [analysis.system.name for analysis in analyses])
    return figure


def context_figure(analyses: Sequence[Analysis], title: str) -> Figure:
    """Draw weighted F1 by the number of previous utterances, with intervals; dashed: the whole conversation.

    Args:
        analyses: Analyses of systems with the same context lengths.
        title: Title of the figure.
    """
    names = [name for name in analyses[0].context if name != WHOLE]
    figure = Figure(figsize=(1.5 + 0.9 * max(len(names), 4), 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, analysis in enumerate(analyses):
        of = [analysis.context[name].measures["weighted_f1"] for name in names]
        colour = _colour(number)
        axes.plot(names, [100 * x.spread.mean for x in of], color=colour, marker="o", markersize=5)
        axes.fill_between(names, [100 * x.low for x in of], [100 * x.high for x in of], color=colour, alpha=0.13, lw=0)
        axes.axhline(
            100 * analysis.context[WHOLE].measures["weighted_f1"].spread.mean, color=colour, lw=1.2, linestyle="--"
        )
    axes.set_ylabel("weighted F1", color=FAINT)
    axes.set_xticks(range(len(names)), [name.removesuffix(" before") for name in names])
    label = "previous utterances in the context; dashed: the whole conversation"
    axes.set_xlabel(label, color=FAINT)
    _plain(axes)
    _head(figure, title, [analysis.system.name for analysis in analyses])
    return figure


def _panels(analyses: Sequence[Analysis]) -> Iterator[tuple[str, str, list[dict[str, Estimate]]]]:
    """Yield heading, explanation and the values of each system for every division, the classes and the pairs."""
    first = analyses[0]
    for index, division in enumerate(first.divisions):
        size = {name: f"{fitted(name, 26, 2)} ({part.support:,})" for name, part in first.parts[index].items()}
        yield (
            division.name,
            division.meaning,
            [{size[name]: of.weighted_f1 for name, of in analysis.parts[index].items()} for analysis in analyses],
        )
    yield (
        "classes",
        "F1; the most frequent in train first",
        [
            {f"{fitted(label, 26, 2)} ({of.support:,})": of.f1 for label, of in analysis.classes.items()}
            for analysis in analyses
        ],
    )
    yield (
        "similar classes",
        f"share of both that is predicted as the other; pairs of {fitted(first.system.name, 24)}",
        [{_pair(pair): pair.mutual for pair in analysis.pairs} for analysis in analyses],
    )


def _pair(pair: Pair) -> str:
    """The name of a pair, on two lines if it is long."""
    return pair.name if len(pair.name) <= 28 else " /\n".join(fitted(label, 26) for label in pair.classes)


def _panel(axes: Axes, heading: str, meaning: str, parts: Sequence[Mapping[str, Estimate]]) -> None:
    names = list(parts[0])
    step = 0.7 / len(parts)
    for number, of_system in enumerate(parts):
        rows = [row for row, name in enumerate(names) if name in of_system]
        of = [of_system[names[row]] for row in rows]
        y = np.array(rows) + step * (number - (len(parts) - 1) / 2)
        colour = _colour(number)
        axes.hlines(y, [100 * x.low for x in of], [100 * x.high for x in of], color=colour, linewidth=1.8, alpha=0.55)
        means = [np.nan if x.note == NO_UTTERANCE else 100 * x.spread.mean for x in of]
        axes.plot(means, y, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_title(heading, loc="left", fontsize=10, fontweight="bold", color=INK, pad=18)
    style: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
    axes.annotate(meaning, (0, 1), (0, 5), fontsize=8.5, color=FAINT, **style)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(color="#dde3ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)


def _head(figure: Figure, title: str, names: Sequence[str]) -> None:
    """Add the title and, for several systems, a legend."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    if len(names) > 1:
        shown = [fitted(name, 40) for name in names]
        handles = [
            figure.axes[0].plot([], [], "o-", color=_colour(number), label=name)[0] for number, name in enumerate(shown)
        ]
        ncols = legend_columns(shown, float(figure.get_size_inches()[0]))
        legend = figure.legend(handles=handles, loc="outside lower left", ncols=ncols, frameon=False, fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
