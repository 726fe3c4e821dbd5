"""Summary of an explanation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sdt.analysis.explanation.explanation import Explanation
from sdt.analysis.explanation.occlusion import NOTHING
from sdt.analysis.explanation.utterance_rows import shortened, speakers
from sdt.conversation import Conversation
from sdt.models.config import FUSED
from sdt.prediction.display import style, utterance_table


def explanation_table(explanation: Explanation) -> Group:
    """Create a table with one row per utterance, legible in 80 columns."""
    conversation = explanation.conversation
    table = utterance_table(conversation.id, ("emotion", *explanation.modalities, "other"))
    for i, (who, utterance) in enumerate(zip(speakers(conversation), conversation.utterances, strict=True)):
        emotion, p = explanation.config.labels[explanation.emotions[i]], explanation.probabilities[FUSED][i].max()
        table.add_row(
            Text(who),
            Text(utterance.text or "–"),
            _emotion(f"{emotion} {p:.0%}", emotion, inferred=not explanation.present[i].any()),
            *(_modality(explanation, i, m) for m in range(len(explanation.modalities))),
            _other(explanation, i),
        )
    return Group(table, Text(legend(explanation), style="dim"))


def legend(explanation: Explanation) -> str:
    """Describe the columns; fusion weights and branches are mentioned only if the model has them."""
    parts = [
        *(["fusion weight"] if explanation.weights is not None else []),
        "decrease of the probability of the emotion in points without the modality in this utterance",
        *(["prediction of its branch if different"] if explanation.branches else []),
    ]
    return (
        f"Modality columns: {'; '.join(parts)}. In brackets: inferred from the context only. other: the utterance "
        "whose removal changes the probability most, and the decrease in points."
    )


def sentences(explanation: Explanation) -> Iterator[str]:
    """Yield the effects of removing a modality everywhere, and the notes."""
    T = len(explanation.conversation)
    for m, name in enumerate(explanation.modalities):
        of = explanation.occlusion.everywhere
        if (of.emotion[:, m] == NOTHING).all():
            continue
        changed = int((of.emotion[:, m] != explanation.emotions).sum())
        fall = f"{100 * of.probability[:, m].mean():+.1f}"
        change = f"{'rises' if fall[0] == '-' else 'falls'} by {fall[1:]} points"
        yield (
            f"without {name} everywhere: {changed} of {T} predictions change, and the probability of the emotion "
            f"{change if float(fall) else 'stays the same'} on average"
        )
    yield from (f"note: {note}" for note in explanation.notes)


def conversations_table(conversations: Sequence[Conversation], splits: Mapping[str, Sequence[str]]) -> Table:
    """Create a table of conversations.

    Args:
        conversations: The conversations in order.
        splits: Split to conversation ids; empty if there are no splits.
    """
    split = {id: name for name, ids in splits.items() for id in ids}
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("conversation", *(["split"] if split else []), "utterances"):
        table.add_column(name, overflow="fold", justify="right" if name == "utterances" else "left")
    table.add_column("begins")
    for of in conversations:
        begins = Text(shortened(of.utterances[0].text or "–", 40))
        table.add_row(Text(of.id), *([split.get(of.id, "–")] if split else []), str(len(of)), begins)
    return table


def _emotion(text: str, emotion: str, *, inferred: bool) -> Text:
    """The emotion of an utterance; in brackets if it is inferred from the context only."""
    return Text(f"({text})", style="dim") if inferred else Text(text, style=f"bold {style(emotion)}")


def _modality(explanation: Explanation, i: int, m: int) -> Text:
    name = explanation.modalities[m]
    if not explanation.present[i, m]:
        return Text("–", style="dim")
    weight = "" if explanation.weights is None else f"{explanation.weights.mean[i, m]:.0%} "
    text = f"{weight}{_points(explanation.occlusion.here.probability[i, m])}"
    if name not in explanation.branches or not explanation.disagreeing(name)[i]:
        return Text(text)
    says = explanation.config.labels[explanation.probabilities[name][i].argmax()]
    return Text.assemble(text, "\n", (says, style(says)))


def _other(explanation: Explanation, i: int) -> Text:
    effect = explanation.occlusion.utterances.probability[i].copy()
    effect[i] = np.nan
    if np.isnan(effect).all():
        return Text("–", style="dim")
    j = int(np.nanargmax(np.abs(effect)))
    return Text(f"{j + 1}: {_points(effect[j])}")


def _points(value: float) -> str:
    text = f"{100 * value:+.0f}"
    return "0" if text in ("+0", "-0") else text
