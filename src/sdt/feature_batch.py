"""Batches of features for prediction: NumPy arrays, the utterances of several conversations without padding.

`sdt.batch.Batch` is the same in PyTorch, with labels, for training and evaluation.

Shapes: N utterances in the batch, B conversations, D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.speakers import Speakers, number_participants

Integers = npt.NDArray[np.int64]
Features = Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]
"""Modality to (features [N, D_m], present [N])."""
FeaturesLike = Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]
"""The same in any form that NumPy converts, such as PyTorch tensors."""


@dataclass(frozen=True)
class FeatureBatch:
    """A packed batch of conversations."""

    features: dict[str, npt.NDArray[np.float32]]
    """Modality to [N, D_m]; zero for missing utterances."""
    present: dict[str, npt.NDArray[np.bool_]]
    """Modality to [N]."""
    position: Integers
    """[N]; 0 for the first utterance of a conversation."""
    speaker: Integers
    """[N]; see `Speakers.numbers`."""
    participant: Integers
    """[N]; the number of the speaker by order of appearance in the conversation, without a limit."""
    lengths: tuple[int, ...]
    """[B]; utterances of each conversation."""
    conversations: tuple[str, ...]
    """[B] conversation ids."""

    def __len__(self) -> int:
        return len(self.position)

    @property
    def present_modalities(self) -> npt.NDArray[np.bool_]:
        """[N, M]; in the order of `present`."""
        return np.stack(list(self.present.values()), axis=1)

    @property
    def conversation(self) -> Integers:
        """[N]; the index of the conversation in the batch."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def excerpts(self, spans: Sequence[tuple[int, int]]) -> FeatureBatch:
        """A batch of excerpts of the conversations; positions start at 0 in each excerpt.

        Args:
            spans: The first row and the row after the last row of each excerpt, which is within one conversation;
                excerpts can overlap.
        """
        rows, of = np.concatenate([np.arange(a, b) for a, b in spans]), self.conversation
        return FeatureBatch(
            features={m: x[rows] for m, x in self.features.items()},
            present={m: x[rows] for m, x in self.present.items()},
            position=np.concatenate([np.arange(b - a) for a, b in spans]),
            speaker=self.speaker[rows],
            participant=self.participant[rows],
            lengths=tuple(b - a for a, b in spans),
            conversations=tuple(self.conversations[of[a]] for a, _ in spans),
        )


def pack_features(conversations: Sequence[Conversation], features: FeaturesLike, speakers: Speakers) -> FeatureBatch:
    """Pack conversations whose features are concatenated already.

    Args:
        conversations: B conversations.
        features: Rows in the order of the conversations.
        speakers: The speaker numbering of the model.
    """
    return FeatureBatch(
        features={m: np.asarray(x, dtype=np.float32) for m, (x, _) in features.items()},
        present={m: np.asarray(present, dtype=np.bool_) for m, (_, present) in features.items()},
        position=np.array([p for c in conversations for p in range(len(c))], dtype=np.int64),
        speaker=np.array([s for c in conversations for s in speakers.numbers(c)], dtype=np.int64),
        participant=np.array([p for c in conversations for p in number_participants(c)], dtype=np.int64),
        lengths=tuple(len(c) for c in conversations),
        conversations=tuple(c.id for c in conversations),
    )
