"""Causal attention in blocks of queries.

With blocks, the time and memory of windowed attention grow linearly with the length of a conversation.

Shapes: Q queries and K keys, packed end to end; s queries and t keys of a block; E encoders; H heads of an encoder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sdt.models.sdt.block_attention import Block, count_weights

MIN_QUERIES = 64
"""Minimum number of queries of a block: with smaller blocks, the number of calls costs more than they save."""
MAX_QUERIES = 512
"""Maximum number of queries of a block. A block with as many queries as the window computes twice the scores needed."""
MAX_MASK_SIZE = 1 << 22
"""Maximum size of the mask of a block, unless a single query exceeds it."""


def split_blocks(start: int, first: int, end: int, window: int | None, encoders: int = 1) -> Iterator[Block]:
    """Split the queries of a conversation into blocks.

    Args:
        start: Row of the first key.
        first: Row of the first query.
        end: Row after the last query and key.
        window: Maximum number of utterances that a query attends to; None for all previous ones.
        encoders: Number of encoders that are computed together.
    """
    size = max(MIN_QUERIES, min(window or 0, MAX_QUERIES))
    keys = end - start if window is None else min(end - start, size + window - 1)
    size = max(1, min(size, MAX_MASK_SIZE // (encoders * keys)))
    for query in range(first, end, size):
        key = start if window is None else max(start, query - window + 1)
        yield Block(key, query, min(query + size, end))


class MaskBuffer:
    """Memory shared by the masks of all blocks.

    Each block of a long `past` context is slightly larger than the previous one. Masks that are allocated and freed one
    by one would fragment the memory: each hole is too small for the next mask, and the process grows as if it kept all.

    Args:
        blocks: All blocks.
        encoders: Number of encoders with separate masks.
        like: A tensor with the dtype and device of the scores.
    """

    def __init__(self, blocks: Sequence[Block], encoders: int, like: Tensor) -> None:
        size = max((block.end - block.query) * (block.end - block.key) for block in blocks)
        self._outside = torch.empty(size, dtype=torch.bool, device=like.device)
        self._masked = torch.empty(encoders * size, dtype=torch.bool, device=like.device)
        self._bias = like.new_empty(encoders * size)

    def outside(self, *shape: int) -> Tensor:
        """Uninitialised memory [s, t] bool."""
        return self._outside[: math.prod(shape)].view(shape)

    def masked(self, *shape: int) -> Tensor:
        """Uninitialised memory [E, s, t] bool."""
        return self._masked[: math.prod(shape)].view(shape)

    def bias(self, masked: Tensor) -> Tensor:
        """The bias of the scores for a mask [E, s, t]: -inf where it is True, otherwise 0."""
        return self._bias[: masked.numel()].view(masked.shape).zero_().masked_fill_(masked, -math.inf)


@dataclass(frozen=True)
class KeyMask:
    """Which keys the queries attend to."""

    window: int | None
    """Maximum number of utterances, including the query's own; None for all previous ones."""
    present: Tensor | None = None
    """[K, E] bool; None if every utterance has every source modality."""
    has_context: Tensor | None = None
    """[Q, E] bool; whether a query attends to any key. A query without keys is not masked, because softmax needs a key;
    `Keys.has_context` removes its result later."""
    offset: int = 0
    """Row of the first query among the keys."""

    def masked(
        self,
        block: Block,
        device: torch.device | None = None,
        buffer: MaskBuffer | None = None,
        last: int | None = None,
    ) -> Tensor:
        """The mask of a block, [1, s, t] or [E, s, t] bool: True where a query must not attend to a key.

        Args:
            block: The block.
            device: Device of the mask.
            buffer: Memory to write the mask to; None to allocate it.
            last: Row after the last query; None for all queries of the block.
        """
        last = block.end if last is None else last
        i = torch.arange(block.query, last, device=device)[:, None]  # [s, 1]
        j = torch.arange(block.key, block.end, device=device)[None, :]  # [1, t]
        outside = torch.gt(j, i, out=None if buffer is None else buffer.outside(len(i), j.shape[1]))
        if self.window is not None:
            outside |= j <= i - self.window
        if self.present is None or self.has_context is None:
            return outside[None]
        present = self.present[block.key : block.end].t()[:, None, :]  # [E, 1, t]
        no_context = ~self.has_context[block.query - self.offset : last - self.offset].t()[:, :, None]  # [E, s, 1]
        if buffer is None:
            return outside | ~(present | no_context)
        inside = torch.logical_or(present, no_context, out=buffer.masked(len(present), len(i), j.shape[1]))
        return inside.logical_not_().logical_or_(outside)


def any_between(present: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return whether any key of each query has a modality.

    Args:
        present: [K] bool; whether the key has the modality.
        first: [Q] int64; row of the first key of the query.
        last: [Q] int64; row of the last key, which is the query's own.

    Returns:
        [Q] bool.
    """
    count = F.pad(present.long().cumsum(0), (1, 0))  # [K + 1]; number of present keys before each row
    return count[last + 1] > count[first]


def attend_blocks(
    q: Tensor, k: Tensor, v: Tensor, blocks: Sequence[Block], key_mask: KeyMask, dropout: float = 0.0
) -> Tensor:
    """Compute attention block by block, without storing the attention weights.

    Args:
        q: Queries [Q, E, H, d/H].
        k: Keys [K, E, H, d/H].
        v: Values [K, E, H, d/H].
        blocks: The blocks, in the order of the queries.
        key_mask: The keys that the queries attend to.
        dropout: Dropout of the attention weights.

    Returns:
        [Q, E, H, d/H].
    """
    needs_gradient = torch.is_grad_enabled() and q.requires_grad
    # Autograd keeps the masks, so they cannot share memory in training.
    buffer = None if needs_gradient else MaskBuffer(blocks, 1 if key_mask.present is None else q.shape[1], q)

    def attend(block: Block) -> Tensor:
        q_ = q[block.query - key_mask.offset : block.end - key_mask.offset].permute(1, 2, 0, 3)  # [E, H, s, d/H]
        k_, v_ = (x[block.key : block.end].permute(1, 2, 0, 3) for x in (k, v))  # [E, H, t, d/H]
        masked = key_mask.masked(block, q.device, buffer)  # [1 or E, s, t]
        mask = (~masked if buffer is None else buffer.bias(masked))[:, None]
        return F.scaled_dot_product_attention(q_, k_, v_, mask, dropout).permute(2, 0, 1, 3)

    if needs_gradient and count_weights(blocks, q.shape[1]) > MAX_MASK_SIZE:
        # Without checkpoints, the backward pass would keep the masks of all blocks.
        return torch.cat([checkpoint(attend, block, use_reentrant=False) for block in blocks])
    return torch.cat([attend(block) for block in blocks])
