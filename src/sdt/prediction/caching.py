"""Reading a conversation that goes on with a causal SDT: keys and values of what was said are kept, not computed again.

In a causal context nothing that an encoder knows of an utterance changes when others follow. So a new utterance is the
only one that is computed; it reads the keys and values that are kept of those before it. In a window of k these are at
most k - 1, however long the conversation is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from sdt.conversation import Prediction
from sdt.models.sdt.model import SDT
from sdt.prediction.cached_layout import CachedLayout, Memory
from sdt.prediction.forward import in_words
from sdt.prediction.turns import TOGETHER, Turn, packed


class Caching:
    """Reads new utterances alone.

    Args:
        model: A causal SDT in evaluation mode.
    """

    def __init__(self, model: SDT) -> None:
        self._model = model

    def read(self, memories: Mapping[str, Memory], turns: Sequence[Turn]) -> tuple[list[Prediction], dict[str, Memory]]:
        """See `Reader.read`."""
        kept: dict[str, Memory] = {}
        found: list[Prediction] = []
        for first in range(0, len(turns), TOGETHER):
            found += self._together(memories, turns[first : first + TOGETHER], kept)
        return found, kept

    def _together(
        self, memories: Mapping[str, Memory], turns: Sequence[Turn], kept: dict[str, Memory]
    ) -> list[Prediction]:
        """Turns that are computed together; what is kept of their conversations goes to `kept`."""
        by_conversation: dict[str, list[int]] = {}
        for index, turn in enumerate(turns):
            by_conversation.setdefault(turn.conversation, []).append(index)
        order = [index for indices in by_conversation.values() for index in indices]
        batch = packed([[turns[index] for index in indices] for indices in by_conversation.values()])
        # Positions go on from those of the utterances before.
        batch = replace(batch, position=torch.tensor([turns[index].position for index in order]))
        model, device = self._model, next(self._model.parameters()).device
        with torch.inference_mode():
            layout = CachedLayout(
                [len(indices) for indices in by_conversation.values()],
                [kept.get(conversation, memories.get(conversation)) for conversation in by_conversation],
                model.context.window,
                len(model.config.modalities),
                device,
            )
            output = model.read(batch.to(device), layout)
            places = [(turns[index].conversation, turns[index].utterance) for index in order]
            said = dict(zip(order, in_words(model, batch, output, places), strict=True))
            kept.update(zip(by_conversation, layout.memories(), strict=True))
        return [said[index] for index in range(len(turns))]
