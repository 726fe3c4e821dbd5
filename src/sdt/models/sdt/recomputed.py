"""Attention of long conversations with an explicit gradient: weights are recomputed, never stored.

The same mathematics as `ragged`, in which the weights of a conversation of T utterances are T^2 numbers for every head
of every encoder. Here it is a part of them at a time, for one more product in the backward pass. Dropout is drawn
again, from a generator of its own with the same seed.

Shapes: N utterances of the batch; s queries and t keys of a part of a block; G heads of all encoders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from sdt.models.dropout import current_generator, dropout_noise
from sdt.models.sdt.ragged import Barred, Block, gradients, heads_of

AT_ONCE = 1 << 23
"""Weights that are there at a time, if those of one query alone are not more."""


class RecomputedAttention(torch.autograd.Function):
    """softmax(Q K^T / sqrt(d/H)) V, part by part; see `RaggedAttention` for the formulas."""

    @staticmethod
    def forward(  # noqa: D102 - PyTorch's
        ctx: Any,  # noqa: ANN401 - PyTorch's context has no type
        q: Tensor,
        k: Tensor,
        v: Tensor,
        blocks: Sequence[Block],
        barred: Barred | None,
        dropout: float,
    ) -> Tensor:
        ctx.blocks, ctx.barred, ctx.dropout = blocks, barred, dropout
        ctx.seed = int(torch.randint(2**63 - 1, (), generator=current_generator())) if dropout else 0
        ctx.save_for_backward(q, k, v)
        read = torch.empty_like(v)
        for (key, query, end), last, p, r in _weights(ctx, q, k):
            heads_of(read, query, last).copy_(torch.bmm(p if r is None else p * r, heads_of(v, key, end)))
        return read

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401, D102
        q, k, v = ctx.saved_tensors
        d_q, d_k, d_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (key, query, end), last, p, r in _weights(ctx, q, k):
            read = heads_of(q, query, last), heads_of(k, key, end), heads_of(v, key, end)
            of_q, of_k, of_v = gradients(p, r, heads_of(grad, query, last), *read)
            heads_of(d_q, query, last).copy_(of_q)
            heads_of(d_k, key, end).add_(of_k)
            heads_of(d_v, key, end).add_(of_v)
        return d_q, d_k, d_v, None, None, None


def _weights(ctx: Any, q: Tensor, k: Tensor) -> Iterator[tuple[Block, int, Tensor, Tensor | None]]:  # noqa: ANN401
    """Parts of the blocks: with the block from its first query on, the row after the last one, weights and noise."""
    groups, scale = q.shape[1], 1 / math.sqrt(q.shape[2])
    generator = torch.Generator().manual_seed(ctx.seed)
    for key, start, end in ctx.blocks:
        mask = None if ctx.barred is None else ctx.barred(Block(key, start, end))  # [G or 1, s or 1, t]
        size = max(1, AT_ONCE // (groups * (end - key)))
        for query in range(start, end, size):
            last = min(query + size, end)
            p = torch.bmm(heads_of(q, query, last) * scale, heads_of(k, key, end).mT)  # [G, s, t]
            if mask is not None:
                p.masked_fill_(mask if mask.shape[1] == 1 else mask[:, query - start : last - start], -math.inf)
            torch.softmax(p, dim=-1, out=p)
            r = dropout_noise(p.shape, ctx.dropout, p.dtype, generator) if ctx.dropout else None
            yield Block(key, query, end), last, p, r
