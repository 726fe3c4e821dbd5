"""One utterance and its emotion on one line of a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sdt.conversation import Prediction, Utterance
from sdt.prediction.display import NOTHING, style

BAR = 10
"""Characters of a bar."""


def said_line(utterance: Utterance, prediction: Prediction) -> Table:
    """Who said what, the emotion with its probability as a bar and a number, and what each modality weighed.

    Legible without colours; lines below each other are aligned.
    """
    emotion, share = prediction.emotion, prediction.probability
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=10, overflow="fold")
    table.add_column(ratio=1, min_width=14, overflow="fold")
    table.add_column(width=max(10, *map(len, prediction.probabilities or [""])), no_wrap=True)
    table.add_column(width=BAR)
    table.add_column(width=4, justify="right")
    cells = [Text(utterance.speaker, style="bold"), Text(utterance.text or NOTHING)]
    if emotion is None or share is None:
        cells += [Text(NOTHING, style="dim"), Text(), Text()]
    else:
        colour, full = style(emotion), round(share * BAR)
        bar = Text("\u2588" * full, style=colour).append("\u2591" * (BAR - full), style="dim")
        cells += [Text(emotion, style=f"bold {colour}"), bar, Text(f"{share:.0%}")]
    if len(prediction.weights) > 1:
        table.add_column(no_wrap=True)
        weights = (
            f"{modality} {NOTHING if weight is None else f'{weight:.0%}':>4}"
            for modality, weight in prediction.weights.items()
        )
        cells.append(Text("  ".join(weights), style="dim"))
    table.add_row(*cells)
    return table
