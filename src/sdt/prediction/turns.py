"""New utterances of conversations that go on, ready for the model.

Shapes: N utterances of a batch; D_m features of a modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.conversation import UNLABELLED, Prediction

TOGETHER = 512
"""Utterances that are computed together, about."""


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


class Reader(Protocol):
    """How a model reads conversations that go on."""

    def read(self, memories: Mapping[str, Any], turns: Sequence[Turn]) -> tuple[list[Prediction], dict[str, Any]]:
        """Predict new utterances.

        Args:
            memories: Conversation to what is remembered of it; stays as it is. One that is not here is new.
            turns: What was said; of one conversation in their order.

        Returns:
            A prediction for each turn, and what is remembered of their conversations from now on.
        """


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
