"""Recurrent networks over packed batches: all sequences are processed together, step by step, without padding.

A sequence is a conversation, or the utterances of one of its speakers. Sequences longer than t are active at step t.

Shapes: N utterances of the batch; S sequences; T utterances of the longest sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sdt.batch import Batch
from sdt.models.baselines.inputs import conversation_of

Network = TypeVar("Network", nn.LSTM, nn.GRU)


@dataclass(frozen=True)
class Steps:
    """The utterances of a batch ordered by step; within a step, by decreasing length of their sequence."""

    order: Tensor
    """[N]; the utterance at each position of this order."""
    inverse: Tensor
    """[N]; the position of each utterance, the inverse of `order`."""
    sizes: tuple[int, ...]
    """[T]; number of active sequences in each step, never increasing."""

    @classmethod
    def of(cls, sequence: Tensor, position: Tensor, lengths: Tensor, *, backwards: bool = False) -> Steps:
        """Create the steps of sequences.

        Args:
            sequence: [N]; index of the sequence of each utterance.
            position: [N]; position of the utterance in its sequence, from 0.
            lengths: [S]; number of utterances of each sequence.
            backwards: Whether the last utterance is the first step.
        """
        rank = torch.empty_like(lengths)
        longest_first = lengths.argsort(descending=True, stable=True)
        rank[longest_first] = torch.arange(len(lengths), device=lengths.device)  # [S]
        step = lengths[sequence] - 1 - position if backwards else position  # [N]
        order = (step * len(lengths) + rank[sequence]).argsort()  # [N]; all sort keys are different
        inverse = torch.empty_like(order)
        inverse[order] = torch.arange(len(order), device=order.device)
        return cls(order, inverse, tuple(step.bincount().tolist()))

    @classmethod
    def of_conversations(cls, batch: Batch, *, backwards: bool = False) -> Steps:
        """Create the steps of the conversations of a batch."""
        return cls.of(conversation_of(batch), batch.position, batch.lengths, backwards=backwards)

    @classmethod
    def of_parties(cls, batch: Batch, party: Tensor, count: int) -> Steps:
        """Create the steps of sequences that consist of the utterances of one party of one conversation.

        Args:
            batch: The batch.
            party: [N]; see `sdt.models.baselines.inputs.number_parties`.
            count: Maximum number of parties; see there.
        """
        _, sequence, lengths = (conversation_of(batch) * count + party).unique(return_inverse=True, return_counts=True)
        grouped = sequence.argsort(stable=True)  # grouped by party, in the order of the conversation
        first = lengths.cumsum(0) - lengths  # [S]
        position = torch.empty_like(sequence)
        position[grouped] = torch.arange(len(grouped), device=grouped.device) - first[sequence[grouped]]
        return cls.of(sequence, position, lengths)

    def split(self, x: Tensor) -> Sequence[Tensor]:
        """Split x [N, ...], in the order of the batch, into the utterances of each step, [sizes[t], ...]."""
        parts: Sequence[Tensor] = x.index_select(0, self.order).split(list(self.sizes))
        return parts

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Inverse of `split`."""
        return torch.cat(list(parts)).index_select(0, self.inverse)


def bidirectional(kind: type[Network], size: int, width: int, layers: int = 1, dropout: float = 0.0) -> Network:
    """Create a bidirectional recurrent network.

    Args:
        kind: `nn.LSTM` or `nn.GRU`.
        size: Width of the inputs.
        width: Width of the outputs, both directions together.
        layers: Number of layers.
        dropout: Dropout between the layers.
    """
    return kind(size, width // 2, num_layers=layers, bidirectional=True, dropout=dropout if layers > 1 else 0.0)


def recurrent(network: nn.LSTM | nn.GRU, x: Tensor, steps: Steps) -> Tensor:
    """Run a recurrent network over the sequences: [N, D] to [N, H], or to [N, 2 H] if the network is bidirectional.

    Sequences are independent; each starts with a state of zeros in each direction.
    """
    packed = PackedSequence(x.index_select(0, steps.order), torch.tensor(steps.sizes, dtype=torch.int64))
    outputs, _ = network(packed)
    data: Tensor = outputs.data
    return data.index_select(0, steps.inverse)
