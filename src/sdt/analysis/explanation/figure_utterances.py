"""Figures of a conversation: the fusion weights and the predictions of the branches.

Shapes: T utterances; M modalities; C labels.
"""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdt.analysis.explanation.explanation import HIGH, LOW, Explanation
from sdt.analysis.explanation.utterance_rows import MISSING, UtteranceRows, heading, number_rows, title, words
from sdt.evaluation.figure import COLOURS, FAINT, INK, fitted, inches
from sdt.models.config import FUSED

_WORDS = 3.4
"""Width of the text panel in inches."""


def weights_figure(explanation: Explanation) -> Figure:
    """Draw the fusion weights: one panel per modality, one row per utterance.

    Dots are means over the model's dimensions, lines the range from the 10th to the 90th percentile.

    Args:
        explanation: Explanation of a model with fusion weights.
    """
    assert explanation.weights is not None
    rows, M = UtteranceRows.of(len(explanation.conversation)), len(explanation.modalities)
    figure, panels = _panels(explanation, rows, [1.9] * M)
    y, weights = np.arange(len(explanation.conversation)), explanation.weights
    for m, (axes, name) in enumerate(zip(panels, explanation.modalities, strict=True)):
        colour, there = COLOURS[m % len(COLOURS)], explanation.present[:, m]
        axes.hlines(y[there], weights.low[there, m], weights.high[there, m], color=colour, linewidth=1.6, alpha=0.45)
        axes.plot(weights.mean[there, m], y[there], "o", color=colour, markersize=min(5.0, max(rows.font, 2.0)))
        for i in np.flatnonzero(~there):
            axes.axhspan(i - 0.5, i + 0.5, color=MISSING, linewidth=0)
        axes.axvline(1 / M, color=FAINT, linewidth=1, linestyle=":")
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        axes.grid(axis="x", color="#dde3ea", linewidth=0.8)
        axes.set_axisbelow(True)
        heading(axes, name, f"mean {weights.mean[there, m].mean():.0%}" if there.any() else "missing everywhere")
    title(figure, explanation, "fusion weights of the modalities")
    dimensions = f"mean over the model's dimensions; line: {LOW}th to {HIGH}th percentile"
    dot = dimensions if weights.per_dimension else "weight, the same in every dimension"
    learned = f"dot: {dot}; dotted: equal weights; grey: missing modality"
    kind = explanation.fusion_weights
    _foot(figure, learned if kind == "learned" else f"the fusion weights are not learned: {kind}")
    return figure


def branches_figure(explanation: Explanation) -> Figure:
    """Draw the predictions: one panel per classifier, one row per utterance, one column per label."""
    rows, C = UtteranceRows.of(len(explanation.conversation)), len(explanation.config.labels)
    classifiers = list(explanation.probabilities)
    names = [fitted(label, 24) for label in explanation.config.labels]
    figure, panels = _panels(explanation, rows, [max(1.6, 0.27 * C)] * len(classifiers), 0.75 * inches(names, 8.5))
    for axes, classifier in zip(panels, classifiers, strict=True):
        _predictions(axes, explanation, classifier, rows)
        axes.set_xticks(range(C), names, rotation=55, ha="right", rotation_mode="anchor", parse_math=False)
    several = len(classifiers) > 1
    title(figure, explanation, "predictions of the fused classifier" + (" and of the branches" if several else ""))
    _foot(
        figure,
        "shade: calibrated probability; dot: predicted emotion"
        + (", red if a branch differs from the fused classifier" if several else "")
        + "; ring: annotated emotion"
        + ("; struck out: missing modality" if several else ""),
    )
    return figure


def _predictions(axes: Axes, explanation: Explanation, name: str, rows: UtteranceRows) -> None:
    p, labels = explanation.probabilities[name], explanation.config.labels
    T, C = p.shape
    there = np.ones(T, dtype=bool) if name == FUSED else explanation.present[:, explanation.modalities.index(name)]
    axes.imshow(
        np.where(there[:, None], p, np.nan), cmap="Blues", vmin=0, vmax=1.25, aspect="auto", interpolation="nearest"
    )
    y, predicted, size = np.arange(T), p.argmax(axis=1), max(1.0, min(4.5, rows.font * 0.55))
    other = np.zeros(T, dtype=bool) if name == FUSED else explanation.disagreeing(name)
    for where, colour in ((there & ~other, INK), (other, COLOURS[1])):
        axes.plot(predicted[where], y[where], "o", color=colour, markersize=size, linestyle="none")
    true = [(labels.index(u.label), i) for i, u in enumerate(explanation.conversation.utterances) if u.label in labels]
    if true and rows.font:
        axes.plot(
            *zip(*true, strict=True), "o", color=INK, fillstyle="none", markersize=2.1 * size, markeredgewidth=0.8
        )
    for i in np.flatnonzero(~there):
        axes.plot([-0.5, C - 0.5], [i, i], color=FAINT, linewidth=1)
    number_rows(axes, explanation, rows)
    heading(axes, name, "the prediction" if name == FUSED else f"{int(other.sum())} of {T} differ")


def _panels(
    explanation: Explanation, rows: UtteranceRows, widths: list[float], below: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """Create a figure with a text panel on the left and panels of the given widths, with space below for names."""
    size = (_WORDS + sum(widths) + 0.4 * len(widths) + 0.4, rows.height + 1.9 + below)
    figure = Figure(figsize=size, layout="constrained")
    first, *panels = figure.subplots(1, len(widths) + 1, width_ratios=[_WORDS, *widths])
    words(first, explanation, rows)
    for axes in panels:
        number_rows(axes, explanation, rows)
    return figure, panels


def _foot(figure: Figure, text: str) -> None:
    figure.supxlabel(_wrapped(text, figure), x=0.01, ha="left", fontsize=8.5, color=FAINT)


def _wrapped(text: str, figure: Figure) -> str:
    return textwrap.fill(text, int(figure.get_size_inches()[0] * 13.5))
