"""What a causal context lets each utterance read, in blocks of queries with their neighbourhood of keys.

In blocks, the time and memory of a window grow with the conversation's length, not with its square.

Shapes: Q queries and K keys, end to end; s queries and t keys of a block; E encoders; H heads of an encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sdt.model.ragged import Block, numbers

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


@dataclass(frozen=True)
class Readable:
    """Which keys the queries may read."""

    window: int | None
    """How many utterances, itself included; None for all before."""
    present: Tensor | None = None
    """[K, E] bool; None where every utterance has every source."""
    some: Tensor | None = None
    """[Q, E] bool; whether a query may read any key at all. One that may not reads whatever there is: softmax needs
    something, and `Keys.some` takes the result away."""
    offset: int = 0
    """The row of the first query among the keys."""

    def barred(self, block: Block, device: torch.device | None = None) -> Tensor:
        """[1, s, t] or [E, s, t] bool, on the device; True where a query must not read a key."""
        i = torch.arange(block.query, block.end, device=device)[:, None]  # [s, 1]
        j = torch.arange(block.key, block.end, device=device)[None, :]  # [1, t]
        outside = j > i
        if self.window is not None:
            outside |= j <= i - self.window
        if self.present is None or self.some is None:
            return outside[None]
        there = self.present[block.key : block.end].t()[:, None, :]  # [E, 1, t]
        lonely = ~self.some[block.query - self.offset : block.end - self.offset].t()[:, :, None]  # [E, s, 1]
        return outside | ~(there | lonely)


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

    def part(block: Block) -> Tensor:
        q_ = q[block.query - readable.offset : block.end - readable.offset].permute(1, 2, 0, 3)  # [E, H, s, d/H]
        k_, v_ = (x[block.key : block.end].permute(1, 2, 0, 3) for x in (k, v))  # [E, H, t, d/H]
        allowed = ~readable.barred(block, q.device)[:, None]  # [1 or E, 1, s, t]
        return F.scaled_dot_product_attention(q_, k_, v_, allowed, dropout).permute(2, 0, 1, 3)

    if torch.is_grad_enabled() and q.requires_grad and numbers(of, q.shape[1]) > LARGEST:
        # Else the backward pass would hold the masks of all blocks.
        return torch.cat([checkpoint(part, block, use_reentrant=False) for block in of])
    return torch.cat([part(block) for block in of])
