"""One utterance and its emotion on one line of a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sdt.conversation import Prediction, Utterance
from sdt.prediction.display import style

BAR = 10
"""Characters of a bar."""


def said_line(utterance: Utterance, prediction: Prediction) -> Table:
    """Who said what, the emotion with its probability as a bar and a number, and what each modality weighed.

    Legible without colours; lines below each other are aligned.
    """
    colour, share = style(prediction.emotion), prediction.probability
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=10, overflow="fold")
    table.add_column(ratio=1, min_width=14, overflow="fold")
    table.add_column(width=max(10, *(len(label) for label in prediction.probabilities)), no_wrap=True)
    table.add_column(width=BAR)
    table.add_column(width=4, justify="right")
    cells = [
        Text(utterance.speaker, style="bold"),
        Text(utterance.text or "\u2013"),
        Text(prediction.emotion, style=f"bold {colour}"),
        Text("\u2588" * round(share * BAR), style=colour).append("\u2591" * (BAR - round(share * BAR)), style="dim"),
        Text(f"{share:.0%}"),
    ]
    if len(prediction.weights) > 1:
        table.add_column(no_wrap=True)
        weights = (f"{modality} {weight:4.0%}" for modality, weight in prediction.weights.items())
        cells.append(Text("  ".join(weights), style="dim"))
    table.add_row(*cells)
    return table
