"""Reading a conversation that goes on by reading its last utterances again: for models that see the future, too.

Such a model says something of an utterance in the light of those that follow; of the newest there are none yet. So it
reads the last utterances as if they were a conversation, with positions from 0, and what it says of the last counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from sdt.conversation import Prediction
from sdt.models.base import Model
from sdt.prediction.forward import in_words
from sdt.prediction.turns import TOGETHER, Turn, packed


class Rereading:
    """Reads the last `history` utterances again for every new one.

    Args:
        model: In evaluation mode.
        history: How many utterances are read, the new one included.
    """

    def __init__(self, model: Model, history: int) -> None:
        self._model, self._history = model, history

    def read(
        self, memories: Mapping[str, tuple[Turn, ...]], turns: Sequence[Turn]
    ) -> tuple[list[Prediction], dict[str, tuple[Turn, ...]]]:
        """See `Reader.read`; what is remembered are the last utterances."""
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
