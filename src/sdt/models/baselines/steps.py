"""Recurrent networks over packed batches: step by step for all sequences at once, without padding.

A sequence is a conversation, or what one of its speakers says. At step t every sequence longer than t takes part.

Shapes: N utterances of the batch; S sequences; T utterances of the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sdt.batch import Batch
from sdt.models.baselines.inputs import conversation_of


@dataclass(frozen=True)
class Steps:
    """The utterances of a batch in the order of their steps; within a step, those of the longest sequence first."""

    order: Tensor
    """[N]; the utterance at each place."""
    places: Tensor
    """[N]; the place of each utterance, the inverse of `order`."""
    sizes: tuple[int, ...]
    """[T]; the sequences that take part in each step; never more than in the step before."""

    @classmethod
    def of(cls, sequence: Tensor, position: Tensor, lengths: Tensor, *, backwards: bool = False) -> Steps:
        """The steps of any sequences.

        Args:
            sequence: [N]; the number of the sequence of each utterance.
            position: [N]; its place in it, from 0.
            lengths: [S].
            backwards: Whether the last utterance is the first step.
        """
        rank = torch.empty_like(lengths)
        longest_first = lengths.argsort(descending=True, stable=True)
        rank[longest_first] = torch.arange(len(lengths), device=lengths.device)  # [S]
        step = lengths[sequence] - 1 - position if backwards else position  # [N]
        order = (step * len(lengths) + rank[sequence]).argsort()  # [N]; no two are equal
        places = torch.empty_like(order)
        places[order] = torch.arange(len(order), device=order.device)
        return cls(order, places, tuple(step.bincount().tolist()))

    @classmethod
    def of_conversations(cls, batch: Batch, *, backwards: bool = False) -> Steps:
        """The steps of the conversations of a batch."""
        return cls.of(conversation_of(batch), batch.position, batch.lengths, backwards=backwards)

    @classmethod
    def of_parties(cls, batch: Batch, party: Tensor, count: int) -> Steps:
        """The steps of what each party of each conversation says, with nothing of the others between.

        Args:
            batch: The batch.
            party: [N] and
            count: as `sdt.models.baselines.inputs.parties` gives them.
        """
        _, sequence, lengths = (conversation_of(batch) * count + party).unique(return_inverse=True, return_counts=True)
        together = sequence.argsort(stable=True)  # the utterances of a party end to end, in order
        first = lengths.cumsum(0) - lengths  # [S]
        position = torch.empty_like(sequence)
        position[together] = torch.arange(len(together), device=together.device) - first[sequence[together]]
        return cls.of(sequence, position, lengths)

    def split(self, x: Tensor) -> Sequence[Tensor]:
        """[N, ...] in the order of the batch to the utterances of each step, [sizes[t], ...]."""
        parts: Sequence[Tensor] = x.index_select(0, self.order).split(list(self.sizes))
        return parts

    def joined(self, of_steps: Sequence[Tensor]) -> Tensor:
        """The opposite of `split`."""
        return torch.cat(list(of_steps)).index_select(0, self.places)


def recurrent(network: nn.LSTM | nn.GRU, x: Tensor, steps: Steps) -> Tensor:
    """The outputs of a recurrent network for every utterance, [N, D] to [N, H]; or [N, 2 H] where it is bidirectional.

    Sequences do not see each other; each begins, in each direction, with a state of zeros.
    """
    packed = PackedSequence(x.index_select(0, steps.order), torch.tensor(steps.sizes, dtype=torch.int64))
    read, _ = network(packed)
    data: Tensor = read.data
    return data.index_select(0, steps.places)
