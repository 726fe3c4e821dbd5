"""Reading a conversation that goes on by reading its last utterances again: for models that see the future, too.

Such a model says something of an utterance in the light of those that follow; of the newest there are none yet. So it
reads the last utterances as if they were a conversation, with positions from 0, and what it says of the last counts.

Shapes: R utterances that are new; N of all the stretches that are read for them; D_m features of a modality.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdt.conversation import Prediction
from sdt.corpus.batches import UNLABELLED, Batch
from sdt.model.base import Model
from sdt.prediction.forward import in_words

TOGETHER = 512
"""Utterances that are computed together, unless one stretch alone has more."""


@dataclass(frozen=True)
class Turn:
    """A new utterance that is ready for the model."""

    conversation: str
    utterance: str
    """Its id."""
    position: int
    """Its place in its conversation, from 0."""
    speaker: int
    """The number of its speaker."""
    features: dict[str, Tensor]
    """Modality to [D_m] float32."""
    present: dict[str, Tensor]
    """Modality to a bool."""


class Rereading:
    """Reads the last `history` utterances again for every new one.

    Args:
        model: In evaluation mode.
        history: How many utterances are read, the new one included.
    """

    def __init__(self, model: Model, history: int) -> None:
        self._model, self._history = model, history

    def read(
        self, memories: dict[str, tuple[Turn, ...]], turns: Sequence[Turn]
    ) -> tuple[list[Prediction], dict[str, tuple[Turn, ...]]]:
        """Predict new utterances.

        Args:
            memories: Conversation to its last utterances; not changed. One that is not here is new.
            turns: [R]; of one conversation in their order.

        Returns:
            The predictions [R], and the memories of the conversations that `turns` are of.
        """
        kept: dict[str, tuple[Turn, ...]] = {}
        stretches = []
        for turn in turns:
            before = kept.get(turn.conversation, memories.get(turn.conversation, ()))
            kept[turn.conversation] = (*before, turn)[-self._history :]
            stretches.append(kept[turn.conversation])
        found: list[Prediction] = []
        for group in _groups(stretches):
            found += self._predict(group)
        return found, kept

    def _predict(self, stretches: Sequence[Sequence[Turn]]) -> list[Prediction]:
        """What the model says of the last utterance of each stretch."""
        batch = packed(stretches)
        last = (batch.lengths.cumsum(0) - 1).tolist()
        places = [(stretch[-1].conversation, stretch[-1].utterance) for stretch in stretches]
        with torch.inference_mode():
            output = self._model(batch.to(next(self._model.parameters()).device))
            return in_words(self._model, batch, output, places, last)


def packed(stretches: Sequence[Sequence[Turn]]) -> Batch:
    """Stretches of conversations as a batch of conversations."""
    turns = [turn for stretch in stretches for turn in stretch]
    lengths = [len(stretch) for stretch in stretches]
    names = turns[0].features
    return Batch(
        features={name: torch.stack([turn.features[name] for turn in turns]) for name in names},
        present={name: torch.stack([turn.present[name] for turn in turns]) for name in names},
        position=torch.tensor([place for length in lengths for place in range(length)]),
        speaker=torch.tensor([turn.speaker for turn in turns]),
        label=torch.full((len(turns),), UNLABELLED),
        lengths=torch.tensor(lengths),
        longest=max(lengths),
        conversations=tuple(stretch[0].conversation for stretch in stretches),
    )


def _groups(stretches: Sequence[Sequence[Turn]]) -> Iterator[list[Sequence[Turn]]]:
    """Divide stretches into batches: attention pads all of a batch to the longest."""
    group: list[Sequence[Turn]] = []
    for stretch in stretches:
        if group and (len(group) + 1) * max(len(of) for of in [*group, stretch]) > TOGETHER:
            yield group
            group = []
        group.append(stretch)
    if group:
        yield group
