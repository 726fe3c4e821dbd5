"""Attention in a causal context, in blocks of queries with the keys before them.

In blocks, the time and memory of a window grow with the conversation's length, not with its square.

Shapes: Q queries and K keys, end to end; s queries and t keys of a block; E encoders; H heads of an encoder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sdt.models.sdt.ragged import Block, numbers

QUERIES = 64
"""Queries of a block, at least: smaller ones cost more calls than they save."""
WIDEST = 512
"""Queries of a block, at most. A block of as many queries as the window has reads two keys for each that it needs."""
LARGEST = 1 << 22
"""Numbers of a block's mask at most, if one query alone has not more."""


def blocks(start: int, first: int, end: int, window: int | None, encoders: int = 1) -> Iterator[Block]:
    """Divide queries into blocks.

    Args:
        start: The row of the conversation's first key.
        first: That of the first query.
        end: The one after the last, of queries and keys.
        window: How many utterances a query reads at most; None for all before it.
        encoders: That are computed together.
    """
    size = max(QUERIES, min(window or 0, WIDEST))
    keys = end - start if window is None else min(end - start, size + window - 1)
    size = max(1, min(size, LARGEST // (encoders * keys)))
    for query in range(first, end, size):
        key = start if window is None else max(start, query - window + 1)
        yield Block(key, query, min(query + size, end))


class Room:
    """Memory that the masks of all blocks share.

    Each block of a long past is a little larger than the one before. Taken and given back one by one, their masks would
    leave holes behind that are too small for the next, and the process would grow as if all were held.
    """

    def __init__(self, of: Sequence[Block], encoders: int, like: Tensor) -> None:
        most = max((block.end - block.query) * (block.end - block.key) for block in of)
        self._outside = torch.empty(most, dtype=torch.bool, device=like.device)
        self._barred = torch.empty(encoders * most, dtype=torch.bool, device=like.device)
        self._bias = like.new_empty(encoders * most)

    def outside(self, *shape: int) -> Tensor:
        """[s, t] bool, of anything."""
        return self._outside[: math.prod(shape)].view(shape)

    def barred(self, *shape: int) -> Tensor:
        """[E, s, t] bool, of anything."""
        return self._barred[: math.prod(shape)].view(shape)

    def bias(self, barred: Tensor) -> Tensor:
        """What is added to the scores where a mask [E, s, t] bars: -inf."""
        return self._bias[: barred.numel()].view(barred.shape).zero_().masked_fill_(barred, -math.inf)


@dataclass(frozen=True)
class Readable:
    """Which keys the queries may read."""

    window: int | None
    """How many utterances, itself included; None for all before."""
    present: Tensor | None = None
    """[K, E] bool; None if every utterance has every source."""
    has_context: Tensor | None = None
    """[Q, E] bool; whether a query may read any key at all. One that may not reads whatever there is: softmax needs
    something, and `Keys.has_context` takes the result away."""
    offset: int = 0
    """The row of the first query among the keys."""

    def barred(self, block: Block, device: torch.device | None = None, room: Room | None = None) -> Tensor:
        """[1, s, t] or [E, s, t] bool, on the device or in the room; True where a query must not read a key."""
        i = torch.arange(block.query, block.end, device=device)[:, None]  # [s, 1]
        j = torch.arange(block.key, block.end, device=device)[None, :]  # [1, t]
        outside = torch.gt(j, i, out=None if room is None else room.outside(len(i), j.shape[1]))
        if self.window is not None:
            outside |= j <= i - self.window
        if self.present is None or self.has_context is None:
            return outside[None]
        there = self.present[block.key : block.end].t()[:, None, :]  # [E, 1, t]
        lonely = ~self.has_context[block.query - self.offset : block.end - self.offset].t()[:, :, None]  # [E, s, 1]
        if room is None:
            return outside | ~(there | lonely)
        inside = torch.logical_or(there, lonely, out=room.barred(len(there), len(i), j.shape[1]))
        return inside.logical_not_().logical_or_(outside)


def any_between(present: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Whether each query may read an utterance that has a modality.

    Args:
        present: [K] bool.
        first: [Q] int64; the row of the first key that the query may read.
        last: [Q] int64; that of the last, which is its own.

    Returns:
        [Q] bool.
    """
    count = F.pad(present.long().cumsum(0), (1, 0))  # [K + 1]; how many before each row
    return count[last + 1] > count[first]


def read(q: Tensor, k: Tensor, v: Tensor, of: Sequence[Block], readable: Readable, dropout: float = 0.0) -> Tensor:
    """Attention in blocks; the weights are never held.

    Args:
        q: Queries [Q, E, H, d/H].
        k: Keys [K, E, H, d/H].
        v: Values, likewise.
        of: The blocks, in the order of the queries.
        readable: What they may read.
        dropout: Of the attention weights.

    Returns:
        [Q, E, H, d/H].
    """
    learns = torch.is_grad_enabled() and q.requires_grad
    # Training would keep the masks, so that they cannot share.
    room = None if learns else Room(of, 1 if readable.present is None else q.shape[1], q)

    def part(block: Block) -> Tensor:
        q_ = q[block.query - readable.offset : block.end - readable.offset].permute(1, 2, 0, 3)  # [E, H, s, d/H]
        k_, v_ = (x[block.key : block.end].permute(1, 2, 0, 3) for x in (k, v))  # [E, H, t, d/H]
        barred = readable.barred(block, q.device, room)  # [1 or E, s, t]
        mask = (~barred if room is None else room.bias(barred))[:, None]
        return F.scaled_dot_product_attention(q_, k_, v_, mask, dropout).permute(2, 0, 1, 3)

    if learns and numbers(of, q.shape[1]) > LARGEST:
        # Else the backward pass would hold the masks of all blocks.
        return torch.cat([checkpoint(part, block, use_reentrant=False) for block in of])
    return torch.cat([part(block) for block in of])
