"""The inputs and the intra- and inter-modal transformer encoders of SDT (paper, sections III-B and III-C).

Shapes: N utterances of the batch, packed end to end; B conversations; T utterances of the longest of them; d model
width; H heads. Only attention, which has to look at one conversation at a time, sees the padded form [B, H, T, d/H];
every linear map sees the N real utterances alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.corpus.batches import Batch
from sdt.model.config import Architecture

LAYER_NORM_EPS = 1e-6


@dataclass(frozen=True)
class Packing:
    """Where the utterances of a packed batch lie in its padded form."""

    slots: Tensor
    """[N]; the index of each utterance among the B * T slots."""
    conversation: Tensor
    """[N]; the index of its conversation."""
    conversations: int
    """B."""
    longest: int
    """T."""

    @classmethod
    def of(cls, batch: Batch) -> Packing:
        """The layout of a batch."""
        count = len(batch.lengths)
        index = torch.arange(count, device=batch.lengths.device)
        conversation = index.repeat_interleave(batch.lengths, output_size=len(batch))  # [N]
        return cls(conversation * batch.longest + batch.position, conversation, count, batch.longest)

    def pad(self, x: Tensor) -> Tensor:
        """[N, ...] to [B, T, ...]; zero (or False) between the conversations."""
        flat = x.new_zeros(self.conversations * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return flat.view(self.conversations, self.longest, *x.shape[1:])

    def unpad(self, x: Tensor) -> Tensor:
        """[B, T, ...] to [N, ...]."""
        return x.flatten(0, 1)[self.slots]


@dataclass(frozen=True)
class Keys:
    """Which utterances can be attended to: those that have the modality."""

    mask: Tensor
    """[B, 1, 1, T]; True for a key. A conversation that has none is all True, so that softmax stays finite."""
    any: Tensor
    """[N, 1]; 1.0 where the utterance's conversation has a key at all, else 0.0."""

    @classmethod
    def of(cls, present: Tensor, packing: Packing) -> Keys:
        """The keys of one modality; `present` is [N] bool."""
        mask = packing.pad(present)  # [B, T]
        some = mask.any(dim=1)  # [B]
        return cls((mask | ~some[:, None])[:, None, None, :], some[packing.conversation, None].float())


class SinusoidalPositions(nn.Module):
    """Positions of the utterances in their conversation: sine in even columns, cosine in odd ones, base 10000."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
        self.register_buffer("frequencies", frequencies, persistent=False)  # [d/2]

    def forward(self, position: Tensor) -> Tensor:
        """[N] to [N, d]."""
        angle = position[:, None].float() * self.frequencies  # [N, d/2]
        return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # [N, d]


class Attention(nn.Module):
    """Multi-head attention within each conversation, softmax(Q K^T / sqrt(d/H)) V."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, memory: Tensor, keys: Keys, packing: Packing) -> Tensor:
        """What each utterance reads from its conversation.

        Args:
            queries: [N, d], of the target modality.
            memory: [N, d], of the source modality.
            keys: Which utterances have the source modality.
            packing: The layout of the batch.

        Returns:
            [N, d]; zero for utterances whose conversation lacks the source modality altogether.
        """
        q, k, v = (
            packing.pad(x)
            .view(packing.conversations, packing.longest, self.heads, -1)
            .transpose(1, 2)  # [B, H, T, d/H]
            for x in (self.query(queries), self.key(memory), self.value(memory))
        )
        dropout = self.dropout if self.training else 0.0
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=keys.mask, dropout_p=dropout)  # [B, H, T, d/H]
        output: Tensor = self.output(packing.unpad(read.transpose(1, 2).flatten(2)))  # [N, d]
        return output * keys.any


class FeedForward(nn.Module):
    """W2 dropout(gelu(W1 LayerNorm(h))), with the tanh approximation of GELU."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        """[N, d] to [N, d]."""
        inner = F.gelu(self.expand(self.norm(h)), approximate="tanh")  # [N, hidden]
        contracted: Tensor = self.contract(self.dropout(inner))
        return contracted


class EncoderLayer(nn.Module):
    """One layer. The first of an encoder does not normalise before attention (as published), further ones do.

    For further layers the published program keeps the normalised tensor in the residual and never updates the keys of
    an intra-modal encoder; nothing published uses that, so here they are ordinary pre-norm layers.
    """

    def __init__(self, settings: Architecture, *, first: bool, intra: bool) -> None:
        super().__init__()
        width = settings.width
        self.intra = intra
        self.query_norm = None if first else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.memory_norm = None if first or intra else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attention = Attention(width, settings.heads, settings.dropout)
        self.feed_forward = FeedForward(width, settings.feed_forward or width, settings.dropout)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor, memory: Tensor, keys: Keys, packing: Packing) -> Tensor:
        """[N, d] to [N, d]; an intra-modal layer reads `x` itself and ignores `memory`."""
        queries = x if self.query_norm is None else self.query_norm(x)
        if self.intra:
            memory = queries
        elif self.memory_norm is not None:
            memory = self.memory_norm(memory)
        h = x + self.dropout(self.attention(queries, memory, keys, packing))
        output: Tensor = h + self.dropout(self.feed_forward(h))
        return output


class ModalEncoder(nn.Module):
    """The encoder of one ordered pair of modalities: queries from the target, keys and values from the source.

    Intra-modal where both are the same, else inter-modal.
    """

    def __init__(self, settings: Architecture, *, intra: bool) -> None:
        super().__init__()
        self.intra = intra
        self.dropout = nn.Dropout(settings.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(settings, first=number == 0, intra=intra) for number in range(settings.layers)
        )

    def forward(self, target: Tensor, source: Tensor, keys: Keys, packing: Packing) -> Tensor:
        """Read the source in the light of the target.

        Args:
            target: X_m, [N, d].
            source: X_n, [N, d]; the same tensor as `target` in an intra-modal encoder.
            keys: Which utterances have the source modality.
            packing: The layout of the batch.

        Returns:
            H_{n->m}, [N, d].
        """
        x: Tensor = self.dropout(target)
        memory = x if self.intra else self.dropout(source)  # separate masks for the two streams
        for layer in self.layers:
            x = layer(x, memory, keys, packing)
        return x
