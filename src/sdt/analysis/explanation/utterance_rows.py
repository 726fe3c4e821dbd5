"""Layout shared by the figures of a conversation: one row per utterance, with its speaker and text.

Shapes: T utterances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdt.analysis.explanation.explanation import Explanation
from sdt.conversation import Conversation
from sdt.evaluation.figure import FAINT, INK, fitted

_ROW = 0.25
"""Height of an utterance in inches."""
_TALLEST = 16.0
"""Maximum height in inches; with many utterances, rows are lower and eventually have no text."""
_SMALLEST = 4.0
"""Minimum font size in points."""
MISSING = "#e9ecf0"
"""Background colour of missing values."""


@dataclass(frozen=True)
class UtteranceRows:
    """Size of the rows of a figure."""

    height: float
    """Total height in inches."""
    font: float
    """Font size in points; 0 if rows are too low for text."""

    @classmethod
    def of(cls, utterances: int, row: float = _ROW, tallest: float = _TALLEST) -> UtteranceRows:
        """Compute the size for a number of utterances; `row` and `tallest` are in inches."""
        height = min(utterances * row, tallest)
        font = min(8.5, height / utterances * 72 * 0.62)
        return cls(height, font if font >= _SMALLEST else 0.0)


def speakers(conversation: Conversation, most: int = 12) -> list[str]:
    """Number and speaker of each utterance: `3 Ann`."""
    return [f"{i} {shortened(utterance.speaker, most)}" for i, utterance in enumerate(conversation.utterances, start=1)]


def words(axes: Axes, explanation: Explanation, rows: UtteranceRows) -> None:
    """Draw a panel with the number, speaker and beginning of the text of each utterance."""
    T = len(explanation.conversation)
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(T - 0.5, -0.5)
    if not rows.font:
        text = f"{T} utterances,\nfrom top to bottom\n(too many for names)"
        axes.text(0.9, T / 2, text, ha="right", va="center", fontsize=9, color=FAINT, in_layout=False)
        return
    style: dict[str, Any] = {"va": "center", "fontsize": rows.font, "parse_math": False, "in_layout": False}
    conversation = explanation.conversation
    for i, (name, utterance) in enumerate(zip(speakers(conversation), conversation.utterances, strict=True)):
        axes.text(0, i, name, color=INK, fontweight="bold", **style)
        room = 0.025 * max(len(name), 10) * rows.font / 8.5 + 0.03
        letters = int((1 - room) / 0.0185 * 8.5 / rows.font)
        axes.text(room, i, shortened(utterance.text or "–", letters), color=FAINT, **style)


def number_rows(axes: Axes, explanation: Explanation, rows: UtteranceRows) -> None:
    """Set the limits of a panel to the rows, and number rows without names."""
    T = len(explanation.conversation)
    axes.set_ylim(T - 0.5, -0.5)
    if rows.font:
        axes.set_yticks([])
    else:
        ticks = np.unique([0, *range(49, T, 50)])
        axes.set_yticks(ticks, [str(i + 1) for i in ticks.tolist()])
    axes.tick_params(length=0, labelsize=8.5, labelcolor=INK)
    axes.spines[:].set_visible(False)


def heading(axes: Axes, text: str, meaning: str = "") -> None:
    """Add the heading of a panel and a line that explains it."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    letters = max(14, int(float(figure.get_size_inches()[0]) * axes.get_position().width / 0.09))
    axes.set_title(
        fitted(text, letters),
        loc="left",
        fontsize=10,
        fontweight="bold",
        color=INK,
        parse_math=False,
        pad=20 if meaning else 6,
    )
    if meaning:
        axes.annotate(
            meaning, (0, 1), (0, 6), "axes fraction", "offset points", fontsize=8.5, color=FAINT, parse_math=False
        )


def title(figure: Figure, explanation: Explanation, what: str) -> None:
    """Add the title of a figure."""
    text = f"{fitted(explanation.conversation.id, 40)}: {what}"
    figure.suptitle(text, x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)


def shortened(text: str, most: int) -> str:
    """Shorten a text to one line with a maximum number of characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: max(1, most - 1)].rstrip()}…"
