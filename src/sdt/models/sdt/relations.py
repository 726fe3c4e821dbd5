"""Attention that depends on who speaks and how far away: head patterns and relative positions.

Head patterns (`sdt.models.context.HeadPattern`) restrict what each head reads; DAG-ERC (Shen et al., ACL 2021) and
EmotionIC (Yingjian et al., arXiv 2303.11117) give models the same speaker's and other speakers' utterances separately.
Relative positions add a learned bias to the scores, as in T5 (Raffel et al., JMLR 2020): one value per head for the
distance in utterances, and one for the distance in utterances of the same speaker (or for another speaker):

    S = Q K^T / sqrt(d/H) + u[bucket(j - i)] + o[bucket of the turn of j - the turn of i]

With values of -inf, the bias contains the patterns `near(W)`, `own(W)` and `others(W)`.

Shapes: K keys, packed end to end; s queries and t keys of a block; E encoders; H heads; G = E * H; d model width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.context import Context, HeadPattern
from sdt.models.sdt.block_attention import Bias, Block, attend_with_gradient

BOUNDARIES = (1, 2, 3, 4, 5, 7, 11, 19)
"""The smallest distance of each bucket but the first, which is distance 0; the last bucket has no end."""
SIDES = 2 * len(BOUNDARIES) + 1
"""Buckets of a signed distance."""
BUCKETS = SIDES * (SIDES + 1)
"""Buckets of a pair: by distance in utterances, and by distance in turns or as utterances of two speakers."""
MAX_PAIRS = 1 << 22
"""Maximum number of pairs of utterances, times heads, whose relations are in memory at the same time."""


class RelativePositions(nn.Module):
    """The learned bias of one encoder layer; it starts at 0, so that training starts at the published model.

    Args:
        heads: H.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.utterances = nn.Parameter(torch.zeros(heads, SIDES))
        self.turns = nn.Parameter(torch.zeros(heads, SIDES + 1))

    def forward(self) -> Tensor:
        """The bias of each bucket of a pair, [H, `BUCKETS`]."""
        return (self.utterances[:, :, None] + self.turns[:, None, :]).flatten(1)


@dataclass(frozen=True)
class Places:
    """Where utterances are in their conversations; tensors of one shape."""

    position: Tensor
    """int64; position in the conversation."""
    participant: Tensor
    """int64; number of the speaker in the conversation."""
    turn: Tensor
    """int64; number of previous utterances of the same speaker in the conversation."""

    @classmethod
    def of(cls, batch: Batch) -> Places:
        """The places of the utterances of a packed batch, [N]."""
        return cls(batch.position, batch.participants, count_turns(batch.speaker_groups()))

    def columns(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors."""
        return self.position, self.participant, self.turn

    def __getitem__(self, rows: slice | tuple[slice | None, ...] | Tensor) -> Places:
        return Places(self.position[rows], self.participant[rows], self.turn[rows])


def count_turns(group: Tensor) -> Tensor:
    """Count the previous utterances of the same group for each utterance, [N]; see `Batch.speaker_groups`."""
    order = group.argsort(stable=True)
    in_order = group[order]
    rank = torch.arange(len(group), device=group.device) - torch.searchsorted(in_order, in_order)
    return torch.empty_like(rank).index_copy_(0, order, rank)


@dataclass(frozen=True)
class Relation:
    """How keys are related to queries; tensors of one shape, one element per pair."""

    distance: Tensor
    """Position of the key minus that of the query."""
    same: Tensor
    """bool; whether both have the same speaker."""
    turns: Tensor
    """Turn of the key minus that of the query; meaningful for the same speaker only."""

    @classmethod
    def of(cls, queries: Places, keys: Places) -> Relation:
        """Compare places of shapes that broadcast."""
        return cls(keys.position - queries.position, keys.participant == queries.participant, keys.turn - queries.turn)

    def readable(self, context: Context) -> Tensor:
        """Whether each head reads the key, [H or 1, ...] bool; an utterance always reads itself."""
        distinct = list(dict.fromkeys(context.patterns)) or [HeadPattern()]
        found = torch.stack([self._fits(pattern) for pattern in distinct])  # [patterns, ...]
        if context.causal:
            found = found & (self.distance <= 0)
        if context.window is not None:
            found = found & (self.distance > -context.window)
        if len(distinct) == 1:
            return found
        return found[[distinct.index(pattern) for pattern in context.patterns]]

    def _fits(self, pattern: HeadPattern) -> Tensor:
        fits = torch.ones_like(self.same)
        if pattern.reach is not None:
            fits = (self.turns if pattern.speaker == "same" else self.distance).abs() <= pattern.reach
        if pattern.speaker == "same":
            fits = fits & self.same
        elif pattern.speaker == "other":
            fits = fits & (~self.same | (self.distance == 0))
        return fits

    def buckets(self) -> Tensor:
        """The bucket of each pair, int64 below `BUCKETS`."""
        turns = torch.where(self.same, _bucket(self.turns), SIDES)
        return _bucket(self.distance) * (SIDES + 1) + turns


def _bucket(distance: Tensor) -> Tensor:
    """The bucket of a signed distance, int64 below `SIDES`."""
    # Comparisons, since torch.bucketize is not exported to ONNX.
    size = sum((distance.abs() >= bound).long() for bound in BOUNDARIES)
    return len(BOUNDARIES) + distance.sign() * size


def mask_missing(readable: Tensor, present: Tensor, head_context: Tensor) -> Tensor:
    """Exclude keys that lack the source modality, unless a head has no key with it: softmax needs a key.

    Args:
        readable: [..., H or 1, s, t] bool; may be read.
        present: [..., 1, t] bool; has the modality.
        head_context: [..., H or 1, s] bool; whether the head has any key with the modality for the query.

    Returns:
        [..., H or 1, s, t] bool; what is read.
    """
    return readable & (present[..., None, :] | ~head_context[..., None])


class Relations:
    """The relations of the pairs of a packed batch, in blocks.

    Args:
        context: The context, with head patterns or relative positions.
        places: The places of the keys, [K].
        blocks: Blocks of queries, which are keys, too.
        offset: Row of the first query among the keys.
    """

    def __init__(self, context: Context, places: Places, blocks: Sequence[Block], offset: int = 0) -> None:
        self.context, self.blocks, self.offset, self._places = context, blocks, offset, places
        self.heads = max(1, len(context.patterns))
        self._known: dict[Block, tuple[Tensor, Tensor]] = {}
        sizes = [(block.end - block.query) * (block.end - block.key) for block in blocks]
        if self.heads * sum(sizes) <= MAX_PAIRS:
            self._compute(sizes)

    def _compute(self, sizes: Sequence[int]) -> None:
        """Compute all pairs at once: a few operations for the batch instead of some for every conversation."""
        device = self._places.position.device
        queries = torch.cat([torch.arange(q, end).repeat_interleave(end - key) for key, q, end in self.blocks])
        keys = torch.cat([torch.arange(key, end).repeat(end - q) for key, q, end in self.blocks])
        relation = Relation.of(self._places[queries.to(device)], self._places[keys.to(device)])
        readable = relation.readable(self.context)
        buckets = relation.buckets() if self.context.relative else readable[0]
        parts = zip(self.blocks, readable.split(list(sizes), dim=1), buckets.split(list(sizes)), strict=True)
        for block, may, bucket in parts:
            shape = (block.end - block.query, block.end - block.key)
            self._known[block] = may.view(-1, *shape), bucket.view(shape)

    def _of(self, block: Block, last: int) -> tuple[Tensor, Tensor]:
        if block in self._known:
            readable, buckets = self._known[block]
            return readable[:, : last - block.query], buckets[: last - block.query]
        relation = Relation.of(self._places[block.query : last][:, None], self._places[block.key : block.end][None, :])
        readable = relation.readable(self.context)
        return readable, relation.buckets() if self.context.relative else readable[0]

    def readable(self, block: Block, last: int) -> Tensor:
        """What the queries of a block before the row `last` may read, [H or 1, s, t] bool."""
        return self._of(block, last)[0]

    def buckets(self, block: Block, last: int) -> Tensor:
        """The buckets of the same pairs, [s, t] int64."""
        return self._of(block, last)[1]

    def head_context(self, present: Tensor) -> Tensor:
        """Whether each head has a key with a modality, [Q, H or 1] bool, for `present` [K] bool."""
        found = [
            (self.readable(Block(block.key, first, block.end), last) & present[block.key : block.end]).any(dim=2).t()
            for block in self.blocks
            for first, last in self._chunks(block)
        ]
        return torch.cat(found)

    def _chunks(self, block: Block) -> list[tuple[int, int]]:
        """Ranges of queries of a block, so that the pairs of each fit into memory."""
        if block in self._known:
            return [(block.query, block.end)]
        size = max(1, MAX_PAIRS // (self.heads * (block.end - block.key)))
        return [(first, min(first + size, block.end)) for first in range(block.query, block.end, size)]

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        present: Tensor | None,
        head_context: Tensor | None,
        bias: Tensor | None,
        dropout: float,
    ) -> Tensor:
        """Compute attention.

        Args:
            q: Queries [Q, E, H, d/H].
            k: Keys [K, E, H, d/H].
            v: Values [K, E, H, d/H].
            present: [K, E] bool; None if every utterance has every source modality.
            head_context: [Q, E, H or 1] bool; see `head_context`. None if `present` is.
            bias: [E, H, `BUCKETS`] for relative positions.
            dropout: Dropout of the attention weights.

        Returns:
            [Q, E, H, d/H].
        """
        encoders, heads = q.shape[1:3]

        def read(block: Block, last: int) -> Tensor:
            """[E or 1, H or 1, s, t] bool."""
            readable = self.readable(block, last)[None]
            if present is None or head_context is None:
                return readable
            queries = head_context[block.query - self.offset : last - self.offset].permute(1, 2, 0)  # [E, H or 1, s]
            return mask_missing(readable, present[block.key : block.end].t()[:, None], queries)

        if torch.is_grad_enabled() and q.requires_grad:

            def masked(block: Block, last: int) -> Tensor:
                mask = ~read(block, last)
                if mask.shape[:2] == (1, 1):
                    return mask[0]
                return mask.expand(encoders, heads, *mask.shape[2:]).flatten(0, 1)  # [G, s, t]

            learned = None if bias is None else Bias(bias.flatten(0, 1), self.buckets)
            flat = [x.flatten(1, 2) for x in (q, k, v)]
            output = attend_with_gradient(flat[0], flat[1], flat[2], self.blocks, masked, dropout, learned)
            return output.view(q.shape)
        outputs = []
        for block in self.blocks:
            k_, v_ = (x[block.key : block.end].permute(1, 2, 0, 3) for x in (k, v))  # [E, H, t, d/H]
            for first, last in self._chunks(block):
                chunk = Block(block.key, first, block.end)
                mask = read(chunk, last)
                if bias is not None:
                    mask = bias[:, :, self.buckets(chunk, last)].masked_fill(~mask, -math.inf)  # [E, H, s, t]
                q_ = q[first - self.offset : last - self.offset].permute(1, 2, 0, 3)  # [E, H, s, d/H]
                outputs.append(F.scaled_dot_product_attention(q_, k_, v_, mask, dropout).permute(2, 0, 1, 3))
        return torch.cat(outputs)
