"""Attention of packed conversations with an explicit gradient, without padding or copies.

With P = softmax(S), S = Q K^T / sqrt(d/H), the dropout noise R and O = (P R) V:

    dV = (P R)^T dO;  dP = (dO V^T) R;  dS = P (dP - rowsum(P dP));  dQ = dS K / sqrt(d/H);  dK = dS^T Q / sqrt(d/H)

A bias of S that depends on the bucket of a pair of utterances has the sum of dS over the pairs of the bucket as its
gradient.

`StoredAttention` keeps P for the backward pass. P has T^2 values for every head of every encoder for a conversation of
T utterances, so `RecomputedAttention` computes it again for long conversations, in chunks and for one more product.

Shapes: N utterances of the batch; s queries and t keys of a block, which is a conversation or a part of one; G heads of
all encoders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sdt.models.dropout import current_generator, dropout_noise

MAX_STORED_WEIGHTS = 1 << 24
"""Maximum number of attention weights of all heads in one call that training stores for the backward pass; with more,
they are recomputed. Batches of the published settings have fewer."""
CHUNK_WEIGHTS = 1 << 23
"""Maximum number of recomputed weights in memory, unless a single query exceeds it."""


class Block(NamedTuple):
    """Consecutive queries and the keys that they attend to; the last query is the last key."""

    key: int
    """Row of the first key."""
    query: int
    """Row of the first query."""
    end: int
    """Row after the last query and key."""


Masked = Callable[[Block, int], Tensor]
"""Mask of the queries of a block before a row, [G or 1, s or 1, t] bool: True where a query must not attend to a
key."""


class Bias(NamedTuple):
    """A learned bias of the scores."""

    table: Tensor
    """[G, buckets]; the bias of the pairs of each bucket."""
    buckets: Callable[[Block, int], Tensor]
    """The buckets of the queries of a block before a row, [s, t] int64."""


def attend_with_gradient(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    blocks: Sequence[Block],
    masked: Masked | None,
    dropout: float,
    bias: Bias | None = None,
) -> Tensor:
    """Compute differentiable attention block by block.

    Args:
        q: Queries [N, G, d/H].
        k: Keys [N, G, d/H].
        v: Values [N, G, d/H].
        blocks: The blocks; their queries cover all rows.
        masked: Masks of the blocks; None for no mask.
        dropout: Dropout of the attention weights.
        bias: Bias of the scores; None for none.

    Returns:
        [N, G, d/H].
    """
    kind = StoredAttention if count_weights(blocks, q.shape[1]) <= MAX_STORED_WEIGHTS else RecomputedAttention
    table, buckets = bias or (None, None)
    output: Tensor = kind.apply(q, k, v, table, blocks, masked, buckets, dropout)  # type: ignore[no-untyped-call]
    return output


class StoredAttention(torch.autograd.Function):
    """Attention that stores its weights for the backward pass.

    Products are copied into the output because PyTorch's batched product is only fast for a contiguous result.
    """

    @staticmethod
    def forward(  # noqa: D102 - PyTorch's
        ctx: Any,  # noqa: ANN401 - PyTorch's context has no type
        q: Tensor,
        k: Tensor,
        v: Tensor,
        table: Tensor | None,
        blocks: Sequence[Block],
        masked: Masked | None,
        buckets: Callable[[Block, int], Tensor] | None,
        dropout: float,
    ) -> Tensor:
        groups, scale = q.shape[1], 1 / math.sqrt(q.shape[2])
        size = count_weights(blocks, groups)
        weights = q.new_empty(size)
        noise = dropout_noise((size,), dropout, q.dtype) if dropout else None
        output = torch.empty_like(v)
        for block, p, r in _stored_weights(blocks, groups, weights, noise):
            key, query, end = block
            torch.baddbmm(p, _heads(q, query, end), _heads(k, key, end).mT, beta=0, alpha=scale, out=p)
            if table is not None and buckets is not None:
                p.add_(table[:, buckets(block, end)])
            if masked is not None:
                p.masked_fill_(masked(block, end), -math.inf)
            torch.softmax(p, dim=-1, out=p)
            _heads(output, query, end).copy_(torch.bmm(p if r is None else p * r, _heads(v, key, end)))
        ctx.blocks, ctx.noise, ctx.buckets = blocks, noise, buckets
        ctx.save_for_backward(q, k, v, table, weights)
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401, D102
        q, k, v, table, weights = ctx.saved_tensors
        d_table = None if table is None else torch.zeros_like(table)
        # Gradients of keys in several blocks are summed; otherwise every row is written once.
        shared = any(key < query for key, query, _ in ctx.blocks)
        d_q, (d_k, d_v) = torch.empty_like(q), (torch.zeros_like(x) if shared else torch.empty_like(x) for x in (k, v))
        put = Tensor.add_ if shared else Tensor.copy_
        for block, p, r in _stored_weights(ctx.blocks, q.shape[1], weights, ctx.noise):
            key, query, end = block
            inputs = _heads(q, query, end), _heads(k, key, end), _heads(v, key, end)
            d_s = _score_gradient(p, r, _heads(grad, query, end), inputs[2])
            _add_by_bucket(d_table, d_s, ctx.buckets, block, end)
            block_q, block_k, block_v = _gradients(d_s, p, r, _heads(grad, query, end), *inputs[:2])
            _heads(d_q, query, end).copy_(block_q)
            put(_heads(d_k, key, end), block_k)
            put(_heads(d_v, key, end), block_v)
        return d_q, d_k, d_v, d_table, None, None, None, None


class RecomputedAttention(torch.autograd.Function):
    """Attention that recomputes its weights in the backward pass; dropout is drawn again from the same seed."""

    @staticmethod
    def forward(  # noqa: D102 - PyTorch's
        ctx: Any,  # noqa: ANN401 - PyTorch's context has no type
        q: Tensor,
        k: Tensor,
        v: Tensor,
        table: Tensor | None,
        blocks: Sequence[Block],
        masked: Masked | None,
        buckets: Callable[[Block, int], Tensor] | None,
        dropout: float,
    ) -> Tensor:
        ctx.blocks, ctx.masked, ctx.buckets, ctx.dropout = blocks, masked, buckets, dropout
        ctx.seed = int(torch.randint(2**63 - 1, (), generator=current_generator())) if dropout else 0
        ctx.save_for_backward(q, k, v, table)
        output = torch.empty_like(v)
        for (key, query, end), last, p, r in _recomputed_weights(ctx, q, k, table):
            _heads(output, query, last).copy_(torch.bmm(p if r is None else p * r, _heads(v, key, end)))
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401, D102
        q, k, v, table = ctx.saved_tensors
        d_table = None if table is None else torch.zeros_like(table)
        d_q, d_k, d_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for block, last, p, r in _recomputed_weights(ctx, q, k, table):
            key, query, end = block
            inputs = _heads(q, query, last), _heads(k, key, end), _heads(v, key, end)
            d_s = _score_gradient(p, r, _heads(grad, query, last), inputs[2])
            _add_by_bucket(d_table, d_s, ctx.buckets, block, last)
            block_q, block_k, block_v = _gradients(d_s, p, r, _heads(grad, query, last), *inputs[:2])
            _heads(d_q, query, last).copy_(block_q)
            _heads(d_k, key, end).add_(block_k)
            _heads(d_v, key, end).add_(block_v)
        return d_q, d_k, d_v, d_table, None, None, None, None


def count_weights(blocks: Sequence[Block], groups: int) -> int:
    """The number of attention weights of all blocks and G = `groups` heads."""
    return groups * sum((end - query) * (end - key) for key, query, end in blocks)


def _score_gradient(p: Tensor, r: Tensor | None, grad: Tensor, v: Tensor) -> Tensor:
    """Compute dS [G, s, t] of a block; see the module docstring for the formula.

    Args:
        p: P [G, s, t].
        r: R [G, s, t], or None without dropout.
        grad: dO [G, s, d/H].
        v: V [G, t, d/H].
    """
    d_p = torch.bmm(grad, v.mT)  # [G, s, t]
    if r is not None:
        d_p.mul_(r)
    return torch._softmax_backward_data(d_p, p, -1, p.dtype)


def _gradients(
    d_s: Tensor, p: Tensor, r: Tensor | None, grad: Tensor, q: Tensor, k: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute dQ [G, s, d/H], dK and dV [G, t, d/H] of a block.

    Args:
        d_s: dS [G, s, t]; overwritten.
        p: P [G, s, t].
        r: R [G, s, t], or None without dropout.
        grad: dO [G, s, d/H].
        q: Q [G, s, d/H].
        k: K [G, t, d/H].
    """
    d_v = torch.bmm((p if r is None else p * r).mT, grad)
    d_s.mul_(1 / math.sqrt(q.shape[-1]))
    return torch.bmm(d_s, k), torch.bmm(d_s.mT, q), d_v


def _add_by_bucket(
    d_table: Tensor | None, d_s: Tensor, buckets: Callable[[Block, int], Tensor] | None, block: Block, last: int
) -> None:
    """Add dS [G, s, t] of the pairs of each bucket to the gradient of the bias [G, buckets]."""
    if d_table is not None and buckets is not None:
        flat = d_s.flatten(1)
        d_table.scatter_add_(1, buckets(block, last).flatten().expand_as(flat), flat.to(d_table.dtype))


def _heads(x: Tensor, a: int, b: int) -> Tensor:
    """View of the rows [a, b) of x [N, G, d/H] as [G, b - a, d/H]."""
    return x[a:b].transpose(0, 1)


def _stored_weights(
    blocks: Sequence[Block], groups: int, *flat: Tensor | None
) -> list[tuple[Block, Tensor, Tensor | None]]:
    """The blocks with views [G, s, t] of the attention weights and of the noise."""
    found, first = [], 0
    for block in blocks:
        s, t = block.end - block.query, block.end - block.key
        end = first + groups * s * t
        weights, noise = (None if x is None else x[first:end].view(groups, s, t) for x in flat)
        assert weights is not None
        found.append((block, weights, noise))
        first = end
    return found


def _recomputed_weights(
    ctx: Any,  # noqa: ANN401 - PyTorch's context has no type
    q: Tensor,
    k: Tensor,
    table: Tensor | None,
) -> Iterator[tuple[Block, int, Tensor, Tensor | None]]:
    """Chunks of blocks: the block from the chunk's first query on, the row after its last query, weights, noise."""
    groups, scale = q.shape[1], 1 / math.sqrt(q.shape[2])
    generator = torch.Generator().manual_seed(ctx.seed)
    for key, start, end in ctx.blocks:
        size = max(1, CHUNK_WEIGHTS // (groups * (end - key)))
        for query in range(start, end, size):
            last = min(query + size, end)
            p = torch.bmm(_heads(q, query, last) * scale, _heads(k, key, end).mT)  # [G, s, t]
            block = Block(key, query, end)
            if table is not None:
                p.add_(table[:, ctx.buckets(block, last)])
            if ctx.masked is not None:
                p.masked_fill_(ctx.masked(block, last), -math.inf)
            torch.softmax(p, dim=-1, out=p)
            r = dropout_noise(p.shape, ctx.dropout, p.dtype, generator) if ctx.dropout else None
            yield block, last, p, r
