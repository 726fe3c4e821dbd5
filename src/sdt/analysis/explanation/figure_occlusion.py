"""Figure of occlusion effects: utterances by utterances, and utterances by modalities.

Shapes: T utterances; M modalities.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from sdt.analysis.explanation.explanation import Explanation
from sdt.analysis.explanation.utterance_rows import MISSING, UtteranceRows, heading, number_rows, title, words
from sdt.evaluation.figure import FAINT, INK, fitted, inches

_WORDS = 3.4
"""Width of the text panel in inches."""
_COLUMN = 0.55
"""Width of a modality in inches."""
_LEAST = 0.05
"""Minimum range of the colour scale of probability changes."""
_NUMBERED = 20
"""Maximum number of utterances for which cells of the square contain numbers."""


def occlusion_figure(explanation: Explanation) -> Figure:
    """Draw by how much the probability of the predicted emotion decreases when parts of the input are removed.

    Next to the text are three panels: without the utterance itself and each of its modalities; without a modality
    everywhere; without another utterance. The last has its own colour scale, since its effects are smaller.
    """
    occlusion, names, T = explanation.occlusion, explanation.modalities, len(explanation.conversation)
    rows = UtteranceRows.of(T)
    own = np.diagonal(occlusion.utterances.probability)[:, None]  # [T, 1]
    others = occlusion.utterances.probability.copy()
    np.fill_diagonal(others, np.nan)
    square = max(3.0, min(T * 0.3, 9.0, rows.height * 1.25))
    # With one modality, removing it is the same as removing the utterance.
    here = np.hstack([own, occlusion.here.probability]) if len(names) > 1 else own
    above = ["all", *names] if len(names) > 1 else list(names)
    columns = [here.shape[1] * _COLUMN, len(names) * _COLUMN, square]
    columns = [max(width, 1.2) for width in columns]
    of_names = [[fitted(name, 18) for name in of] for of in (above, names)]
    size = (_WORDS + sum(columns) + 2.8, rows.height + 2.0 + 0.65 * inches(of_names[0], 8.5))
    figure = Figure(figsize=size, layout="constrained")
    first, at_here, at_all, at_others = figure.subplots(1, 4, width_ratios=[_WORDS, *columns])
    words(first, explanation, rows)
    reach = _reach(np.hstack([here, occlusion.everywhere.probability]))
    _matrix(at_here, here, reach, rows, explanation)
    heading(at_here, "without own", "in this utterance")
    picture = _matrix(at_all, occlusion.everywhere.probability, reach, rows, explanation)
    heading(at_all, "without modality", "in all utterances")
    for axes, of in zip((at_here, at_all), of_names, strict=True):
        axes.set_xticks(range(len(of)), of, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    _bar(figure, picture, at_all)
    picture = _matrix(at_others, others, _reach(others), rows, explanation, numbers=T <= _NUMBERED)
    _number_columns(at_others, T, rows)
    heading(at_others, "without another utterance", "row: prediction; column: removed utterance")
    _bar(figure, picture, at_others)
    title(figure, explanation, "decrease of the probability of the predicted emotion when input is removed")
    return figure


def _matrix(
    axes: Axes,
    values: npt.NDArray[np.float32],
    reach: float,
    rows: UtteranceRows,
    explanation: Explanation,
    *,
    numbers: bool = True,
) -> AxesImage:
    """Draw effects in percentage points: blue if the removed input supports the prediction, red otherwise."""
    axes.set_facecolor(MISSING)
    picture = axes.imshow(
        np.ma.masked_invalid(values), cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest"
    )
    number_rows(axes, explanation, rows)
    if numbers and rows.font:
        for (row, column), value in np.ndenumerate(values):
            if value == value:
                text = f"{100 * value:+.0f}"
                axes.text(
                    column,
                    row,
                    "0" if text in ("+0", "-0") else text,
                    ha="center",
                    va="center",
                    in_layout=False,
                    fontsize=0.88 * rows.font,
                    color="white" if abs(value) > 0.65 * reach else INK,
                )
    return picture


def _number_columns(axes: Axes, T: int, rows: UtteranceRows) -> None:
    every = 1 if T <= 40 else 10 if T <= 100 else 50
    ticks = [i for i in range(T) if i == 0 or (i + 1) % every == 0]
    axes.set_xticks(ticks, [str(i + 1) for i in ticks], fontsize=min(8.5, rows.font or 8.5))


def _reach(values: npt.NDArray[np.float32]) -> float:
    there = np.abs(values[np.isfinite(values)])
    return max(_LEAST, float(there.max(initial=0.0)))


def _bar(figure: Figure, picture: AxesImage, axes: Axes) -> None:
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, aspect=26, pad=0.02, format="{x:+.0%}")
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    bar.outline.set_visible(False)
