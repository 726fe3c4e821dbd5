"""Attention within each conversation of a packed batch, for many encoders at once.

softmax(Q K^T / sqrt(d/H)) V, where an utterance reads the utterances of its own conversation that have the source
modality: all of them, or those that its context lets it read (`sdt.models.context`). The heads of several encoders lie
side by side, so that what is small is computed together.

Three layouts compute the same. `Ragged` (on a CPU) goes from conversation to conversation and pads nothing, so that its
time follows the utterances there are and not the longest conversation. `Padded` (on a GPU) gives all conversations one
length, since there a few large operations are faster than many small ones. ONNX files have a third, in
`sdt.prediction.onnx`, and running conversations a fourth, in `sdt.models.sdt.kv_cache`.

Shapes: N utterances of the batch, packed end to end; B conversations; T utterances of one of them, or of the longest;
E encoders; H heads of an encoder; G = E * H; d model width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sdt.batch import Batch
from sdt.models.context import FULL, Context
from sdt.models.sdt.causal import Readable, any_between, blocks, read
from sdt.models.sdt.ragged import Barred, Block, RaggedAttention, numbers
from sdt.models.sdt.recomputed import RecomputedAttention


@dataclass(frozen=True)
class Keys:
    """Which utterances have a modality and so can be read by others."""

    present: Tensor
    """[N] bool. All True in a conversation without any that is read as a whole: softmax needs a key, and `has_context`
    masks the result."""
    has_context: Tensor
    """[N, 1]; 1.0 if the utterance's context has a key at all, else 0.0."""
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


def layout_of(batch: Batch, context: Context = FULL) -> Layout:
    """The layout that is fastest where the batch is."""
    kind = Ragged if batch.position.device.type == "cpu" else Padded
    return kind.of(batch, context)


ROWS_TOGETHER = 1024
"""Encoders are computed side by side as long as their rows of Q are at most so many together: with more, nothing is
faster on a CPU, and what several encoders hold at once takes memory."""
ROWS_TOGETHER_PADDED = 32768
"""The same where conversations are padded: a GPU wants large operations, but its memory is finite."""

HELD = 1 << 24
"""Attention weights of all heads in a call of `attend` up to which training holds them for the backward pass. Beyond
that they are computed again, so that memory does not grow with the square of a conversation. A batch of the published
settings has less."""

LONG = 512
"""Utterances of a conversation beyond which attention is computed without holding its weights where some are missing,
too. For that PyTorch wants the mask in one piece; shorter ones keep the sums in the order in which they always were."""


@dataclass(frozen=True)
class Ragged:
    """Conversation after conversation, without padding."""

    spans: tuple[tuple[int, int], ...]
    """[B]; the first utterance of each conversation in the batch, and the one after its last."""
    context: Context = FULL
    """How much of its conversation an utterance reads."""

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Ragged:
        """The layout of a batch on the CPU."""
        ends = list(itertools.accumulate(batch.lengths.tolist()))
        return cls(tuple(zip([0, *ends], ends, strict=False)), context)

    @property
    def encoders_together(self) -> int:
        """As many as memory allows."""
        return max(1, ROWS_TOGETHER // self.spans[-1][1])

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality."""
        if bool(present.all()):
            return Keys(present, torch.ones(len(present), 1, device=present.device), complete=True)
        if self.context.causal:
            starts = torch.cat([torch.full((b - a,), a) for a, b in self.spans])  # [N]
            return causal_keys(present, torch.arange(len(present)) - starts, self.context)
        has_context = torch.cat([present[a:b].any().expand(b - a) for a, b in self.spans])  # [N]
        return Keys(present | ~has_context, has_context[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`."""
        learns = torch.is_grad_enabled() and q.requires_grad
        if self.context.causal:
            return self._attend_causally(q, k, v, keys, dropout, learns=learns)
        shape, heads = q.shape, q.shape[2]
        q, k, v = (x.flatten(1, 2) for x in (q, k, v))  # [N, G, d/H]
        barred = None
        if not all(key.complete for key in keys):
            barred = torch.stack([~key.present for key in keys], dim=1).repeat_interleave(heads, dim=1)  # [N, G]
        if learns:
            whole = [Block(a, a, b) for a, b in self.spans]
            mask = None if barred is None else lambda block: barred[block.key : block.end].t()[:, None, :]
            return _attend_and_learn(q, k, v, whole, mask, dropout).view(shape)
        found = torch.empty_like(v)
        for a, b in self.spans:
            allowed = None if barred is None else ~barred[a:b].t()[None, :, None, :]  # [1, G, 1, T]
            if allowed is not None and b - a > LONG:
                allowed = allowed.contiguous()
            q_, k_, v_ = (x[a:b].transpose(0, 1)[None] for x in (q, k, v))  # [1, G, T, d/H]
            found[a:b] = F.scaled_dot_product_attention(q_, k_, v_, allowed, dropout)[0].transpose(0, 1)
        return found.view(shape)

    def _attend_causally(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, *, learns: bool
    ) -> Tensor:
        window, (_, encoders, heads, _) = self.context.window, q.shape
        parts = [block for a, b in self.spans for block in blocks(a, a, b, window, encoders)]
        readable = readable_keys(keys, window)
        if not learns:
            return read(q, k, v, parts, readable, dropout)

        def mask(block: Block) -> Tensor:
            barred = readable.barred(block)
            return barred if len(barred) == 1 else barred.repeat_interleave(heads, dim=0)  # [G, s, t]

        flat = [x.flatten(1, 2) for x in (q, k, v)]  # [N, G, d/H]
        return _attend_and_learn(flat[0], flat[1], flat[2], parts, mask, dropout).view(q.shape)


def _attend_and_learn(
    q: Tensor, k: Tensor, v: Tensor, blocks: Sequence[Block], barred: Barred | None, dropout: float
) -> Tensor:
    """Attention whose gradient is asked for, [N, G, d/H]."""
    kind = RaggedAttention if numbers(blocks, q.shape[1]) <= HELD else RecomputedAttention
    found: Tensor = kind.apply(q, k, v, blocks, barred, dropout)  # type: ignore[no-untyped-call]
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
    context: Context = FULL
    """How much of its conversation an utterance reads."""

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Padded:
        """The layout of a batch; the host does not wait for a GPU."""
        count = len(batch.lengths)
        index = torch.arange(count, device=batch.lengths.device)
        conversation = index.repeat_interleave(batch.lengths, output_size=len(batch))  # [N]
        return cls(conversation * batch.longest + batch.position, conversation, count, batch.longest, context)

    @property
    def encoders_together(self) -> int:
        """As many as memory allows."""
        return max(1, ROWS_TOGETHER_PADDED // (self.conversations * self.longest))

    def pad(self, x: Tensor) -> Tensor:
        """[N, ...] to [B, T, ...]; zero (or False) between the conversations."""
        flat = x.new_zeros(self.conversations * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return flat.view(self.conversations, self.longest, *x.shape[1:])

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality."""
        if self.context.causal:
            return causal_keys(present, self.slots - self.conversation * self.longest, self.context)
        has_context = self.pad(present).any(dim=1)[self.conversation]  # [N]
        return Keys(present | ~has_context, has_context[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`."""
        if self.context.causal:
            return self._attend_causally(q, k, v, keys, dropout)
        shape, heads = q.shape, q.shape[2]
        mask = self.pad(torch.stack([key.present for key in keys], dim=1).repeat_interleave(heads, dim=1))  # [B, T, G]
        q_, k_, v_ = (self.pad(x.flatten(1, 2)).transpose(1, 2) for x in (q, k, v))  # [B, G, T, d/H]
        read = F.scaled_dot_product_attention(q_, k_, v_, mask.transpose(1, 2)[:, :, None, :], dropout)
        return read.transpose(1, 2).flatten(0, 1)[self.slots].view(shape)

    def _attend_causally(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """The conversations as further encoders of one long conversation."""
        window, encoders = self.context.window, q.shape[1]
        parts = list(blocks(0, 0, self.longest, window, self.conversations * encoders))

        def beside(x: Tensor) -> Tensor:
            return self.pad(x).transpose(0, 1).flatten(1, 2)  # [N, E, ...] to [T, B * E, ...]

        of = readable_keys(keys, window)
        if of.present is not None and of.has_context is not None:
            of = Readable(window, beside(of.present), beside(of.has_context))
        found = read(beside(q), beside(k), beside(v), parts, of, dropout)  # [T, B * E, H, d/H]
        rows: Tensor = found.unflatten(1, (self.conversations, encoders)).transpose(0, 1).flatten(0, 1)
        return rows[self.slots]


def causal_keys(present: Tensor, position: Tensor, context: Context) -> Keys:
    """The keys of one modality in a causal context.

    Args:
        present: [N] bool.
        position: [N] int64; the place of each utterance in its conversation, from 0.
        context: A causal one.
    """
    back = position if context.window is None else position.clamp(max=context.window - 1)
    row = torch.arange(len(present), device=present.device)
    has_context = any_between(present, row - back, row)
    return Keys(present, has_context[:, None].float(), complete=False)


def readable_keys(keys: Sequence[Keys], window: int | None) -> Readable:
    """What the encoders may read in a causal context, by the keys [E] of their sources."""
    if all(key.complete for key in keys):
        return Readable(window)
    present = torch.stack([key.present for key in keys], dim=1)  # [N, E]
    has_context = torch.stack([key.has_context.squeeze(1) > 0 for key in keys], dim=1)  # [N, E]
    return Readable(window, present, has_context)
