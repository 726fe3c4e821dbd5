"""Attention of packed conversations with an explicit gradient, without padding or copies.

Shapes: N utterances of the batch; s queries and t keys of a block, which is a conversation or a part of one; G heads of
all encoders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sdt.models.dropout import dropout_noise


class Block(NamedTuple):
    """Queries that follow each other, and the keys that they read; the last query is the last key."""

    key: int
    """The row of the first key."""
    query: int
    """The row of the first query."""
    end: int
    """The row after the last of both."""


Barred = Callable[[Block], Tensor]
"""Of a block, [G or 1, s or 1, t] bool: True where a key must not be read."""


class RaggedAttention(torch.autograd.Function):
    """softmax(Q K^T / sqrt(d/H)) V, block by block.

    The products are copied into place: PyTorch's batched product is fast into a contiguous result only.
    With P = softmax(S), S = Q K^T / sqrt(d/H), the dropout's noise R and O = (P R) V:
    dV = (P R)^T dO; dP = (dO V^T) R; dS = P (dP - rowsum(P dP)); dQ = dS K / sqrt(d/H); dK = dS^T Q / sqrt(d/H).
    """

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
        groups, scale = q.shape[1], 1 / math.sqrt(q.shape[2])
        size = numbers(blocks, groups)
        weights = q.new_empty(size)
        noise = dropout_noise((size,), dropout, q.dtype) if dropout else None
        read = torch.empty_like(v)
        for block, p, r in _weights(blocks, groups, weights, noise):
            key, query, end = block
            torch.baddbmm(p, heads_of(q, query, end), heads_of(k, key, end).mT, beta=0, alpha=scale, out=p)
            if barred is not None:
                p.masked_fill_(barred(block), -math.inf)
            torch.softmax(p, dim=-1, out=p)
            heads_of(read, query, end).copy_(torch.bmm(p if r is None else p * r, heads_of(v, key, end)))
        ctx.blocks, ctx.noise = blocks, noise
        ctx.save_for_backward(q, k, v, weights)
        return read

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401, D102
        q, k, v, weights = ctx.saved_tensors
        # A key that several blocks read has a gradient from each; else every row is written once.
        shared = any(key < query for key, query, _ in ctx.blocks)
        d_q, (d_k, d_v) = torch.empty_like(q), (torch.zeros_like(x) if shared else torch.empty_like(x) for x in (k, v))
        put = Tensor.add_ if shared else Tensor.copy_
        for (key, query, end), p, r in _weights(ctx.blocks, q.shape[1], weights, ctx.noise):
            read = heads_of(q, query, end), heads_of(k, key, end), heads_of(v, key, end)
            of_q, of_k, of_v = gradients(p, r, heads_of(grad, query, end), *read)
            heads_of(d_q, query, end).copy_(of_q)
            put(heads_of(d_k, key, end), of_k)
            put(heads_of(d_v, key, end), of_v)
        return d_q, d_k, d_v, None, None, None


def gradients(
    p: Tensor, r: Tensor | None, grad: Tensor, q: Tensor, k: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """DQ [G, s, d/H], dK and dV [G, t, d/H] of a block; see `RaggedAttention` for the formulas.

    Args:
        p: P [G, s, t].
        r: R likewise, or None without dropout.
        grad: dO [G, s, d/H].
        q: Q likewise.
        k: K [G, t, d/H].
        v: V likewise.
    """
    d_v = torch.bmm((p if r is None else p * r).mT, grad)
    d_p = torch.bmm(grad, v.mT)  # [G, s, t]
    if r is not None:
        d_p.mul_(r)
    d_s = torch._softmax_backward_data(d_p, p, -1, p.dtype).mul_(1 / math.sqrt(q.shape[-1]))
    return torch.bmm(d_s, k), torch.bmm(d_s.mT, q), d_v


def numbers(blocks: Sequence[Block], groups: int) -> int:
    """How many attention weights there are."""
    return groups * sum((end - query) * (end - key) for key, query, end in blocks)


def heads_of(x: Tensor, a: int, b: int) -> Tensor:
    """Some rows, [N, G, d/H] to [G, b - a, d/H], where they lie."""
    return x[a:b].transpose(0, 1)


def _weights(blocks: Sequence[Block], groups: int, *flat: Tensor | None) -> list[tuple[Block, Tensor, Tensor | None]]:
    """The blocks with their [G, s, t] of the attention weights and of the noise."""
    found, first = [], 0
    for block in blocks:
        s, t = block.end - block.query, block.end - block.key
        end = first + groups * s * t
        weights, noise = (None if x is None else x[first:end].view(groups, s, t) for x in flat)
        assert weights is not None
        found.append((block, weights, noise))
        first = end
    return found
