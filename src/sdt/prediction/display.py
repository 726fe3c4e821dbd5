"""Display of predictions in a terminal: a table per conversation, or one line per utterance of a stream."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sdt.conversation import Conversation, Prediction, Utterance

if TYPE_CHECKING:
    from sdt.prediction.predictions import Predictions

STYLES = {
    "neutral": "white",
    "joy": "bright_yellow",
    "happy": "bright_yellow",
    "excited": "yellow",
    "surprise": "bright_magenta",
    "anger": "bright_red",
    "angry": "bright_red",
    "frustrated": "red",
    "disgust": "green",
    "fear": "magenta",
    "sadness": "bright_blue",
    "sad": "bright_blue",
}
"""The colours of common emotions; other labels get a colour by a hash of their name."""
_OTHERS = ("cyan", "bright_cyan", "bright_green", "blue", "yellow", "magenta")
BAR = 10
"""The width of the probability bar of `utterance_line` in characters."""
_BARS = "▁▂▃▄▅▆▇█"
MISSING = "–"
"""The placeholder for missing values."""
LEGEND = "'only': the emotion by that modality alone, and its weight in the fusion."
LEGEND_UNWEIGHTED = "'only': the emotion by that modality alone."


def predictions_table(found: Predictions) -> Group:
    """One table per conversation; it is readable with 80 columns or more, with or without colours."""
    parts: list[RenderableType] = []
    by_conversation = found.by_conversation
    for conversation in found.conversations:
        parts += [_conversation(conversation, by_conversation[conversation.id]), Text()]
    if any(prediction.branches for prediction in found):
        weighted = any(prediction.weights for prediction in found)
        parts.append(Text(LEGEND if weighted else LEGEND_UNWEIGHTED, style="dim"))
    return Group(*parts)


def utterance_table(title: str, columns: Iterable[str], *, timed: bool = False) -> Table:
    """An empty table with a row for each utterance of a conversation: its speaker, its text and other columns.

    Args:
        title: The name of the conversation.
        columns: The names of the other columns.
        timed: Whether the first column is the start of the utterance.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(title),
        title_justify="left",
        title_style="bold",
        padding=0,  # the box divides columns by a space
        pad_edge=False,
    )
    if timed:
        table.add_column("start", no_wrap=True, justify="right")
    table.add_column("speaker", overflow="fold", max_width=10)
    table.add_column("text", overflow="fold", ratio=1, min_width=10)
    # In narrow terminals, numbers wrap below their words.
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    return table


def _conversation(conversation: Conversation, predictions: Sequence[Prediction]) -> Table:
    modalities = list(dict.fromkeys(name for prediction in predictions for name in prediction.branches))
    timed = all(utterance.start is not None for utterance in conversation.utterances)
    table = utterance_table(conversation.id, ("emotion", *(f"{name} only" for name in modalities)), timed=timed)
    for utterance, prediction in zip(conversation.utterances, predictions, strict=True):
        table.add_row(
            *([Text(minutes(utterance.start or 0.0))] if timed else []),
            Text(utterance.speaker),
            Text(utterance.text or MISSING),
            _emotion(prediction),
            *(_branch(prediction, name) for name in modalities),
        )
    return table


def minutes(seconds: float) -> str:
    """A time as `M:SS`, or `H:MM:SS` from an hour on.

    Example:
        >>> minutes(75.9), minutes(3600)
        ('1:15', '1:00:00')
    """
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _emotion(prediction: Prediction) -> Text:
    """The emotion with its probability; a dash without an emotion."""
    if prediction.emotion is None:
        return Text(MISSING, style="dim")
    return Text(f"{prediction.emotion} {prediction.probability:.0%}", style=f"bold {style(prediction.emotion)}")


def _branch(prediction: Prediction, modality: str) -> Text:
    """The emotion of a modality, and its fusion weight if the model has weights; a dash if the modality is missing."""
    weight, probabilities = prediction.weights.get(modality), prediction.branches.get(modality)
    if probabilities is None:
        return Text(MISSING, style="dim")
    emotion = max(probabilities, key=probabilities.__getitem__)
    if weight is None:
        return Text(emotion, style(emotion))
    bar = _BARS[min(int(weight * len(_BARS)), len(_BARS) - 1)]
    return Text.assemble((emotion, style(emotion)), (f" {bar}{weight:.0%}", "dim"))


def utterance_line(utterance: Utterance, prediction: Prediction) -> Table:
    """One line: speaker, text, emotion, its probability as a bar and a number, and the weight of each modality.

    Readable without colours; consecutive lines are aligned.
    """
    emotion, probability = prediction.emotion, prediction.probability
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=10, overflow="fold")
    table.add_column(ratio=1, min_width=14, overflow="fold")
    table.add_column(width=max(10, *map(len, prediction.probabilities or [""])), no_wrap=True)
    table.add_column(width=BAR)
    table.add_column(width=4, justify="right")
    cells = [Text(utterance.speaker, style="bold"), Text(utterance.text or MISSING)]
    if emotion is None or probability is None:
        cells += [Text(MISSING, style="dim"), Text(), Text()]
    else:
        colour, full = style(emotion), round(probability * BAR)
        bar = Text("\u2588" * full, style=colour).append("\u2591" * (BAR - full), style="dim")
        cells += [Text(emotion, style=f"bold {colour}"), bar, Text(f"{probability:.0%}")]
    if len(prediction.weights) > 1:
        table.add_column(no_wrap=True)
        weights = (
            f"{modality} {MISSING if weight is None else f'{weight:.0%}':>4}"
            for modality, weight in prediction.weights.items()
        )
        cells.append(Text("  ".join(weights), style="dim"))
    table.add_row(*cells)
    return table


def style(emotion: str) -> str:
    """The colour of an emotion; it is always the same."""
    return STYLES.get(emotion.lower()) or _OTHERS[zlib.crc32(emotion.encode()) % len(_OTHERS)]
