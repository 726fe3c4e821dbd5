"""Attention within each conversation of a packed batch, for many encoders at once.

softmax(Q K^T / sqrt(d/H)) V, where an utterance reads the utterances of its own conversation that have the source
modality. The heads of several encoders lie side by side, so that what is small is computed together.

Three layouts compute the same. `Ragged` (on a CPU) goes from conversation to conversation and pads nothing, so that its
time follows the utterances there are and not the longest conversation. `Padded` (on a GPU) gives all conversations one
length, since there a few large operations are faster than many small ones. ONNX files have a third, in
`sdt.prediction.onnx`.

Shapes: N utterances of the batch, packed end to end; B conversations; T utterances of one of them, or of the longest;
E encoders; H heads of an encoder; G = E * H; d model width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sdt.corpus.batches import Batch
from sdt.model.dropout import dropout_noise


@dataclass(frozen=True)
class Keys:
    """Which utterances have a modality and so can be read by others."""

    present: Tensor
    """[N] bool. In a conversation that has none, all: softmax needs something, and `some` takes the result away."""
    some: Tensor
    """[N, 1]; 1.0 where the utterance's conversation has a key at all, else 0.0."""
    complete: bool
    """Whether every utterance is known to have the modality, so that nothing has to be masked."""


class Layout(Protocol):
    """How a batch's conversations are laid out for attention."""

    @property
    def encoders_together(self) -> int:
        """How many encoders it is best to hand to `attend` at once."""

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality; `present` is [N] bool."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """What each utterance reads from its conversation.

        Args:
            q: Queries [N, E, H, d/H].
            k: Keys, likewise.
            v: Values, likewise.
            keys: [E]; those of each encoder's source.
            dropout: Of the attention weights.

        Returns:
            [N, E, H, d/H].
        """


def layout_of(batch: Batch) -> Layout:
    """The layout that is fastest where the batch is."""
    return Ragged.of(batch) if batch.position.device.type == "cpu" else Padded.of(batch)


ROWS_TOGETHER = 32768
"""Encoders are computed side by side as long as their rows of Q are at most so many together; memory is finite."""


@dataclass(frozen=True)
class Ragged:
    """Conversation after conversation, without padding."""

    spans: tuple[tuple[int, int], ...]
    """[B]; the first utterance of each conversation in the batch, and the one after its last."""

    @classmethod
    def of(cls, batch: Batch) -> Ragged:
        """The layout of a batch on the CPU."""
        ends = list(itertools.accumulate(batch.lengths.tolist()))
        return cls(tuple(zip([0, *ends], ends, strict=False)))

    @property
    def encoders_together(self) -> int:
        """As many as memory allows."""
        return max(1, ROWS_TOGETHER // self.spans[-1][1])

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality."""
        if bool(present.all()):
            return Keys(present, torch.ones(len(present), 1, device=present.device), complete=True)
        some = torch.cat([present[a:b].any().expand(b - a) for a, b in self.spans])  # [N]
        return Keys(present | ~some, some[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`."""
        shape, heads = q.shape, q.shape[2]
        q, k, v = (x.flatten(1, 2) for x in (q, k, v))  # [N, G, d/H]
        barred = None
        if not all(key.complete for key in keys):
            barred = torch.stack([~key.present for key in keys], dim=1).repeat_interleave(heads, dim=1)  # [N, G]
        if torch.is_grad_enabled() and q.requires_grad:
            read: Tensor = _RaggedAttention.apply(q, k, v, self.spans, barred, dropout)  # type: ignore[no-untyped-call]
            return read.view(shape)
        read = torch.empty_like(v)
        for a, b in self.spans:
            allowed = None if barred is None else ~barred[a:b].t()[None, :, None, :]  # [1, G, 1, T]
            q_, k_, v_ = (x[a:b].transpose(0, 1)[None] for x in (q, k, v))  # [1, G, T, d/H]
            # Its memory does not grow with the square of T.
            read[a:b] = F.scaled_dot_product_attention(q_, k_, v_, allowed, dropout)[0].transpose(0, 1)
        return read.view(shape)


class _RaggedAttention(torch.autograd.Function):
    """Attention with its gradient written out, so that conversations are read and written where they lie.

    The products are copied into place: PyTorch's batched product is fast into a contiguous result only.
    With P = softmax(S), S = Q K^T / sqrt(d/H), the dropout's noise R and O = (P R) V:
    dV = (P R)^T dO; dP = (dO V^T) R; dS = P (dP - rowsum(P dP)); dQ = dS K / sqrt(d/H); dK = dS^T Q / sqrt(d/H).
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - PyTorch's context has no type
        q: Tensor,
        k: Tensor,
        v: Tensor,
        spans: tuple[tuple[int, int], ...],
        barred: Tensor | None,
        dropout: float,
    ) -> Tensor:
        groups, scale = q.shape[1], 1 / math.sqrt(q.shape[2])
        size = sum((b - a) ** 2 for a, b in spans) * groups
        weights = q.new_empty(size)
        noise = dropout_noise((size,), dropout, q.dtype) if dropout else None
        read = torch.empty_like(v)
        for (a, b), p, r in _blocks(spans, groups, weights, noise):
            torch.baddbmm(p, _heads(q, a, b), _heads(k, a, b).mT, beta=0, alpha=scale, out=p)
            if barred is not None:
                p.masked_fill_(barred[a:b].t()[:, None, :], -math.inf)
            torch.softmax(p, dim=-1, out=p)
            _heads(read, a, b).copy_(torch.bmm(p if r is None else p * r, _heads(v, a, b)))
        ctx.spans, ctx.scale, ctx.noise = spans, scale, noise
        ctx.save_for_backward(q, k, v, weights)
        return read

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        q, k, v, weights = ctx.saved_tensors
        d_q, d_k, d_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for (a, b), p, r in _blocks(ctx.spans, q.shape[1], weights, ctx.noise):
            d_read = _heads(grad, a, b)
            _heads(d_v, a, b).copy_(torch.bmm((p if r is None else p * r).mT, d_read))
            d_p = torch.bmm(d_read, _heads(v, a, b).mT)  # [G, T, T]
            if r is not None:
                d_p.mul_(r)
            d_s = torch._softmax_backward_data(d_p, p, -1, p.dtype).mul_(ctx.scale)
            _heads(d_q, a, b).copy_(torch.bmm(d_s, _heads(k, a, b)))
            _heads(d_k, a, b).copy_(torch.bmm(d_s.mT, _heads(q, a, b)))
        return d_q, d_k, d_v, None, None, None


def _heads(x: Tensor, a: int, b: int) -> Tensor:
    """One conversation, [N, G, d/H] to [G, T, d/H], where it lies."""
    return x[a:b].transpose(0, 1)


def _blocks(
    spans: Sequence[tuple[int, int]], groups: int, *flat: Tensor | None
) -> list[tuple[tuple[int, int], Tensor, Tensor | None]]:
    """The conversations with their [G, T, T] of the attention weights and of the noise."""
    found, first = [], 0
    for a, b in spans:
        length = b - a
        end = first + groups * length**2
        weights, noise = (None if x is None else x[first:end].view(groups, length, length) for x in flat)
        assert weights is not None
        found.append(((a, b), weights, noise))
        first = end
    return found


@dataclass(frozen=True)
class Padded:
    """All conversations at the length of the longest."""

    slots: Tensor
    """[N]; the index of each utterance among the B * T slots."""
    conversation: Tensor
    """[N]; the index of its conversation."""
    conversations: int
    """B."""
    longest: int
    """T."""

    @classmethod
    def of(cls, batch: Batch) -> Padded:
        """The layout of a batch; the host does not wait for a GPU."""
        count = len(batch.lengths)
        index = torch.arange(count, device=batch.lengths.device)
        conversation = index.repeat_interleave(batch.lengths, output_size=len(batch))  # [N]
        return cls(conversation * batch.longest + batch.position, conversation, count, batch.longest)

    @property
    def encoders_together(self) -> int:
        """As many as memory allows."""
        return max(1, ROWS_TOGETHER // (self.conversations * self.longest))

    def pad(self, x: Tensor) -> Tensor:
        """[N, ...] to [B, T, ...]; zero (or False) between the conversations."""
        flat = x.new_zeros(self.conversations * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return flat.view(self.conversations, self.longest, *x.shape[1:])

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality."""
        some = self.pad(present).any(dim=1)[self.conversation]  # [N]
        return Keys(present | ~some, some[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`."""
        shape, heads = q.shape, q.shape[2]
        mask = self.pad(torch.stack([key.present for key in keys], dim=1).repeat_interleave(heads, dim=1))  # [B, T, G]
        q_, k_, v_ = (self.pad(x.flatten(1, 2)).transpose(1, 2) for x in (q, k, v))  # [B, G, T, d/H]
        read = F.scaled_dot_product_attention(q_, k_, v_, mask.transpose(1, 2)[:, :, None, :], dropout)
        return read.transpose(1, 2).flatten(0, 1)[self.slots].view(shape)
