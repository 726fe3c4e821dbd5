"""Packed batches in PyTorch: the utterances of several conversations, concatenated without padding.

Shapes: N utterances in the batch, B conversations, D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdt.conversation import UNLABELLED, Conversation
from sdt.feature_batch import FeatureBatch
from sdt.speakers import Speakers, number_participants


@dataclass(frozen=True)
class Batch:
    """A packed batch of conversations."""

    features: dict[str, Tensor]
    """Modality to [N, D_m] float32; zero for missing utterances."""
    present: dict[str, Tensor]
    """Modality to [N] bool."""
    position: Tensor
    """[N] int64; 0 for the first utterance of a conversation."""
    speaker: Tensor
    """[N] int64; see `Speakers.numbers`."""
    label: Tensor
    """[N] int64; `UNLABELLED` without a label."""
    lengths: Tensor
    """[B] int64; utterances of each conversation."""
    longest: int
    """max(lengths), on the host to avoid synchronisation with the device."""
    conversations: tuple[str, ...]
    """[B] conversation ids."""
    participant: Tensor | None = None
    """[N] int64; number of the speaker within the conversation. Unlike `speaker`, it also distinguishes speakers that
    the model does not know. None if the numbers in `speaker` distinguish all speakers of a conversation."""

    @classmethod
    def from_features(cls, batch: FeatureBatch) -> Batch:
        """The same batch in PyTorch, without labels; the tensors share the memory of the arrays."""
        return cls(
            features={m: torch.from_numpy(x) for m, x in batch.features.items()},
            present={m: torch.from_numpy(x) for m, x in batch.present.items()},
            position=torch.from_numpy(batch.position),
            speaker=torch.from_numpy(batch.speaker),
            label=torch.full((len(batch),), UNLABELLED),
            lengths=torch.tensor(batch.lengths),
            longest=max(batch.lengths),
            conversations=batch.conversations,
            participant=torch.from_numpy(batch.participant),
        )

    @property
    def participants(self) -> Tensor:
        """[N] int64; equal numbers within a conversation are the same speaker."""
        return self.speaker if self.participant is None else self.participant

    def __len__(self) -> int:
        return len(self.position)

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to a device."""
        return replace(
            self,
            features={m: x.to(device, non_blocking=True) for m, x in self.features.items()},
            present={m: x.to(device, non_blocking=True) for m, x in self.present.items()},
            position=self.position.to(device, non_blocking=True),
            speaker=self.speaker.to(device, non_blocking=True),
            label=self.label.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
            participant=None if self.participant is None else self.participant.to(device, non_blocking=True),
        )

    def only(self, modalities: Sequence[str]) -> Batch:
        """The same batch with all other modalities marked as missing."""
        present = {m: x if m in modalities else torch.zeros_like(x) for m, x in self.present.items()}
        return replace(self, present=present)

    def speaker_groups(self) -> Tensor:
        """[N] int64; the same number for the utterances of a speaker in a conversation, and for no others."""
        index = torch.arange(len(self.lengths), device=self.lengths.device)
        conversation = index.repeat_interleave(self.lengths, output_size=len(self))  # [N]
        return conversation * (self.participants.max() + 1) + self.participants

    def previous_of_speaker(self) -> Tensor:
        """[N] int64, the row of the same speaker's previous utterance in the conversation; -1 if there is none."""
        group = self.speaker_groups()
        order = group.argsort(stable=True)  # [N]; the utterances of each speaker are consecutive
        follows = group[order[1:]] == group[order[:-1]]  # [N - 1]
        previous = torch.full_like(order, -1)
        previous[order[1:]] = torch.where(follows, order[:-1], previous[1:])
        return previous

    def excerpts(self, spans: Sequence[tuple[int, int]]) -> Batch:
        """A batch of excerpts of the conversations; positions start at 0 in each excerpt.

        Args:
            spans: The first row and the row after the last row of each excerpt, which is within one conversation;
                excerpts can overlap.
        """
        rows = torch.cat([torch.arange(a, b) for a, b in spans])
        of = torch.arange(len(self.lengths)).repeat_interleave(self.lengths)  # [N]; the conversation
        return Batch(
            features={m: x[rows] for m, x in self.features.items()},
            present={m: x[rows] for m, x in self.present.items()},
            position=torch.cat([torch.arange(b - a) for a, b in spans]),
            speaker=self.speaker[rows],
            label=self.label[rows],
            lengths=torch.tensor([b - a for a, b in spans]),
            longest=max(b - a for a, b in spans),
            conversations=tuple(self.conversations[int(of[a])] for a, _ in spans),
            participant=None if self.participant is None else self.participant[rows],
        )


def pack(
    conversations: Sequence[Conversation],
    features: Mapping[str, tuple[Tensor, Tensor]],
    labels: Sequence[str],
    speakers: Speakers,
) -> Batch:
    """Pack conversations whose features are concatenated already.

    Args:
        conversations: B conversations.
        features: Modality to (features [N, D_m] float32, present [N] bool), rows in the order of the conversations.
        labels: The label names of the model in the order of their numbers; other labels are treated as missing.
        speakers: The speaker numbering of the model.
    """
    number = {label: index for index, label in enumerate(labels)}
    return Batch(
        features={modality: x for modality, (x, _) in features.items()},
        present={modality: present for modality, (_, present) in features.items()},
        position=torch.tensor([p for c in conversations for p in range(len(c))], dtype=torch.int64),
        speaker=torch.tensor([s for c in conversations for s in speakers.numbers(c)], dtype=torch.int64),
        label=torch.tensor(
            [number.get(u.label, UNLABELLED) if u.label else UNLABELLED for c in conversations for u in c.utterances],
            dtype=torch.int64,
        ),
        lengths=torch.tensor([len(c) for c in conversations], dtype=torch.int64),
        longest=max(len(c) for c in conversations),
        conversations=tuple(c.id for c in conversations),
        participant=torch.tensor([p for c in conversations for p in number_participants(c)], dtype=torch.int64),
    )
