"""Attention within each conversation of a packed batch, for several encoders at once.

softmax(Q K^T / sqrt(d/H)) V, where an utterance attends to the utterances of its conversation that have the source
modality and are in its context (`sdt.models.context`). The heads of several encoders are stacked, so that small
operations are computed together.

Several layouts compute the same result. `Ragged` (CPU) processes one conversation at a time without padding, so its run
time depends on the number of utterances and not on the longest conversation. `Padded` (GPU) pads all conversations to
one length, because a few large operations are faster there than many small ones. `sdt.models.onnx_export` has a layout
for ONNX export and `sdt.models.sdt.kv_cache` one for streaming.

Shapes: N utterances of the batch, packed end to end; B conversations; T utterances of a conversation (`Ragged`) or of
the longest one (`Padded`); E encoders; H heads of an encoder; G = E * H; d model width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sdt.batch import Batch
from sdt.models.context import FULL, Context
from sdt.models.sdt.block_attention import Block, attend_with_gradient
from sdt.models.sdt.causal import KeyMask, any_between, attend_blocks, split_blocks
from sdt.models.sdt.relations import Places, Relation, Relations, mask_missing


@dataclass(frozen=True)
class Keys:
    """The utterances that have a modality and can be attended to."""

    present: Tensor
    """[N] bool. All True for a conversation without the modality in a full context: softmax needs a key, and
    `has_context` removes the result later."""
    has_context: Tensor
    """[N, 1]; 1.0 if the utterance's context has at least one key, else 0.0."""
    complete: bool
    """Whether every utterance is known to have the modality, so that no mask is needed."""
    head_context: Tensor | None = None
    """[N, H or 1] bool; whether the head reads at least one key for the utterance. None if the context has no head
    patterns or relative positions, or if `complete`."""


class Layout(Protocol):
    """Implementation of attention for the conversations of a batch."""

    @property
    def max_encoders(self) -> int:
        """Maximum number of encoders per call of `attend`."""

    def keys(self, present: Tensor) -> Keys:
        """Create the keys of one modality; `present` is [N] bool."""

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """Compute attention.

        Args:
            q: Queries [N, E, H, d/H].
            k: Keys [N, E, H, d/H].
            v: Values [N, E, H, d/H].
            keys: [E]; the keys of each encoder's source modality.
            dropout: Dropout of the attention weights.
            bias: Learned bias of the scores [E, H, buckets] for relative positions; see `sdt.models.sdt.relations`.

        Returns:
            [N, E, H, d/H]. The result of a head that reads no key is arbitrary; `mask_heads` sets it to 0.
        """


def layout_of(batch: Batch, context: Context = FULL) -> Layout:
    """Return the fastest layout for the device of a batch."""
    kind = Ragged if batch.position.device.type == "cpu" else Padded
    return kind.of(batch, context)


MAX_ROWS = 1024
"""Maximum number of rows of Q of all encoders in one call on a CPU: more rows are not faster and take more memory."""
MAX_ROWS_PADDED = 32768
"""The same for padded conversations: a GPU is faster with large operations, but its memory is limited."""

CONTIGUOUS_MASK_LENGTH = 512
"""Length of a conversation above which the mask of missing utterances is made contiguous: PyTorch then does not store
the attention weights. For shorter conversations the expanded mask keeps the order of summation, and so the bits."""


@dataclass(frozen=True)
class Ragged:
    """Layout that processes one conversation at a time, without padding."""

    spans: tuple[tuple[int, int], ...]
    """[B]; index of the first utterance of each conversation in the batch, and the index after its last."""
    context: Context = FULL
    """The utterances that an utterance attends to."""
    relations: Relations | None = None
    """The relations of pairs of utterances, if the context depends on them."""

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Ragged:
        """Create the layout of a batch on the CPU."""
        ends = list(itertools.accumulate(batch.lengths.tolist()))
        spans = tuple(zip([0, *ends], ends, strict=False))
        if not context.related:
            return cls(spans, context)
        blocks = [block for a, b in spans for block in split_blocks(a, a, b, context.window)]
        if not context.causal:
            blocks = [Block(a, a, b) for a, b in spans]
        return cls(spans, context, Relations(context, Places.of(batch), blocks))

    @property
    def max_encoders(self) -> int:
        """As many as `MAX_ROWS` allows."""
        return max(1, MAX_ROWS // self.spans[-1][1])

    def keys(self, present: Tensor) -> Keys:
        """See `Layout.keys`."""
        if bool(present.all()):
            return Keys(present, torch.ones(len(present), 1, device=present.device), complete=True)
        if self.relations is not None:
            return related_keys(present, self.relations.head_context(present))
        if self.context.causal:
            starts = torch.cat([torch.full((b - a,), a) for a, b in self.spans])  # [N]
            return causal_keys(present, torch.arange(len(present)) - starts, self.context)
        has_context = torch.cat([present[a:b].any().expand(b - a) for a, b in self.spans])  # [N]
        return Keys(present | ~has_context, has_context[:, None].float(), complete=False)

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """See `Layout.attend`."""
        if self.relations is not None:
            return attend_related(self.relations, q, k, v, keys, dropout, bias)
        needs_gradient = torch.is_grad_enabled() and q.requires_grad
        if self.context.causal:
            return self._attend_causally(q, k, v, keys, dropout, needs_gradient=needs_gradient)
        shape, heads = q.shape, q.shape[2]
        q, k, v = (x.flatten(1, 2) for x in (q, k, v))  # [N, G, d/H]
        missing = None
        if not all(key.complete for key in keys):
            missing = torch.stack([~key.present for key in keys], dim=1).repeat_interleave(heads, dim=1)  # [N, G]
        if needs_gradient:
            blocks = [Block(a, a, b) for a, b in self.spans]
            masked = None if missing is None else lambda block, _: missing[block.key : block.end].t()[:, None, :]
            return attend_with_gradient(q, k, v, blocks, masked, dropout).view(shape)
        output = torch.empty_like(v)
        for a, b in self.spans:
            mask = None if missing is None else ~missing[a:b].t()[None, :, None, :]  # [1, G, 1, T]
            if mask is not None and b - a > CONTIGUOUS_MASK_LENGTH:
                mask = mask.contiguous()
            q_, k_, v_ = (x[a:b].transpose(0, 1)[None] for x in (q, k, v))  # [1, G, T, d/H]
            output[a:b] = F.scaled_dot_product_attention(q_, k_, v_, mask, dropout)[0].transpose(0, 1)
        return output.view(shape)

    def _attend_causally(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, *, needs_gradient: bool
    ) -> Tensor:
        window, (_, encoders, heads, _) = self.context.window, q.shape
        blocks = [block for a, b in self.spans for block in split_blocks(a, a, b, window, encoders)]
        key_mask = combine_keys(keys, window)
        if not needs_gradient:
            return attend_blocks(q, k, v, blocks, key_mask, dropout)

        def masked(block: Block, last: int) -> Tensor:
            mask = key_mask.masked(block, None, None, last)
            return mask if len(mask) == 1 else mask.repeat_interleave(heads, dim=0)  # [G, s, t]

        flat = [x.flatten(1, 2) for x in (q, k, v)]  # [N, G, d/H]
        return attend_with_gradient(flat[0], flat[1], flat[2], blocks, masked, dropout).view(q.shape)


@dataclass(frozen=True)
class Padded:
    """Layout that pads all conversations to the length of the longest."""

    slots: Tensor
    """[N]; index of each utterance among the B * T padded positions."""
    conversation: Tensor
    """[N]; index of its conversation."""
    conversations: int
    """B."""
    longest: int
    """T."""
    context: Context = FULL
    """The utterances that an utterance attends to."""
    places: Places | None = None
    """The places of the utterances [N], if the context depends on them."""

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Padded:
        """Create the layout of a batch, without synchronising the host with a GPU."""
        count = len(batch.lengths)
        index = torch.arange(count, device=batch.lengths.device)
        conversation = index.repeat_interleave(batch.lengths, output_size=len(batch))  # [N]
        places = Places.of(batch) if context.related else None
        return cls(conversation * batch.longest + batch.position, conversation, count, batch.longest, context, places)

    @property
    def max_encoders(self) -> int:
        """As many as `MAX_ROWS_PADDED` allows."""
        return max(1, MAX_ROWS_PADDED // (self.conversations * self.longest))

    def pad(self, x: Tensor) -> Tensor:
        """Pad [N, ...] to [B, T, ...] with zeros (or False)."""
        flat = x.new_zeros(self.conversations * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return flat.view(self.conversations, self.longest, *x.shape[1:])

    @cached_property
    def _relation(self) -> Relation:
        """The relations of all pairs, [B, T, T]."""
        assert self.places is not None
        padded = Places(*(self.pad(x) for x in self.places.columns()))
        return Relation.of(padded[:, :, None], padded[:, None, :])

    @cached_property
    def _readable(self) -> Tensor:
        """What each head may read, [B, H or 1, T, T] bool."""
        return self._relation.readable(self.context).transpose(0, 1)

    def keys(self, present: Tensor) -> Keys:
        """See `Layout.keys`."""
        if self.context.related:
            found = (self._readable & self.pad(present)[:, None, None, :]).any(dim=3)  # [B, H or 1, T]
            return related_keys(present, found.transpose(1, 2).flatten(0, 1)[self.slots])
        if self.context.causal:
            return causal_keys(present, self.slots - self.conversation * self.longest, self.context)
        has_context = self.pad(present).any(dim=1)[self.conversation]  # [N]
        return Keys(present | ~has_context, has_context[:, None].float(), complete=False)

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """See `Layout.attend`."""
        if self.context.related:
            return self._attend_related(q, k, v, keys, dropout, bias)
        if self.context.causal:
            return self._attend_causally(q, k, v, keys, dropout)
        shape, heads = q.shape, q.shape[2]
        mask = self.pad(torch.stack([key.present for key in keys], dim=1).repeat_interleave(heads, dim=1))  # [B, T, G]
        q_, k_, v_ = (self.pad(x.flatten(1, 2)).transpose(1, 2) for x in (q, k, v))  # [B, G, T, d/H]
        output = F.scaled_dot_product_attention(q_, k_, v_, mask.transpose(1, 2)[:, :, None, :], dropout)
        return output.transpose(1, 2).flatten(0, 1)[self.slots].view(shape)

    def _attend_related(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None
    ) -> Tensor:
        present, head_context = (self.pad(x) for x in _by_encoder(keys))  # [B, T, E], [B, T, E, H or 1]
        may = mask_missing(
            self._readable[:, None], present.transpose(1, 2)[:, :, None], head_context.permute(0, 2, 3, 1)
        )  # [B, E, H or 1, T, T]
        mask: Tensor = may.expand(-1, -1, q.shape[2], -1, -1).flatten(1, 2)  # [B, G, T, T]
        if bias is not None:
            scores = bias.flatten(0, 1)[:, self._relation.buckets()].transpose(0, 1)  # [B, G, T, T]
            mask = scores.masked_fill(~mask, -math.inf)
        q_, k_, v_ = (self.pad(x.flatten(1, 2)).transpose(1, 2) for x in (q, k, v))  # [B, G, T, d/H]
        output = F.scaled_dot_product_attention(q_, k_, v_, mask, dropout)
        return output.transpose(1, 2).flatten(0, 1)[self.slots].view(q.shape)

    def _attend_causally(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """Treat the conversations as additional encoders of one conversation of length T."""
        window, encoders = self.context.window, q.shape[1]
        blocks = list(split_blocks(0, 0, self.longest, window, self.conversations * encoders))

        def stack(x: Tensor) -> Tensor:
            return self.pad(x).transpose(0, 1).flatten(1, 2)  # [N, E, ...] to [T, B * E, ...]

        mask = combine_keys(keys, window)
        if mask.present is not None and mask.has_context is not None:
            mask = KeyMask(window, stack(mask.present), stack(mask.has_context))
        output = attend_blocks(stack(q), stack(k), stack(v), blocks, mask, dropout)  # [T, B * E, H, d/H]
        rows: Tensor = output.unflatten(1, (self.conversations, encoders)).transpose(0, 1).flatten(0, 1)
        return rows[self.slots]


def related_keys(present: Tensor, head_context: Tensor) -> Keys:
    """Create the keys of one modality for head patterns or relative positions.

    Args:
        present: Whether the utterance has the modality, bool [N].
        head_context: Whether each head reads at least one key, bool [N, H or 1].
    """
    return Keys(present, head_context.any(dim=1, keepdim=True).float(), complete=False, head_context=head_context)


def attend_related(
    relations: Relations,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    keys: Sequence[Keys],
    dropout: float = 0.0,
    bias: Tensor | None = None,
) -> Tensor:
    """Compute attention with head patterns or relative positions; see `Layout.attend` for the arguments."""
    if all(key.complete for key in keys):
        return relations.attend(q, k, v, None, None, bias, dropout)
    return relations.attend(q, k, v, *_by_encoder(keys), bias, dropout)


def _by_encoder(keys: Sequence[Keys]) -> tuple[Tensor, Tensor]:
    """`Keys.present` [K, E] and `Keys.head_context` [N, E, H or 1] of the source modality of each encoder."""
    contexts = [key.has_context > 0 if key.head_context is None else key.head_context for key in keys]
    heads = max(context.shape[1] for context in contexts)
    return torch.stack([key.present for key in keys], 1), torch.stack([x.expand(-1, heads) for x in contexts], 1)


def mask_heads(attended: Tensor, keys: Keys) -> Tensor:
    """Set the output of attention [N, H, d/H] to 0 for heads that read no key."""
    return attended if keys.head_context is None else attended * keys.head_context[:, :, None]


def causal_keys(present: Tensor, position: Tensor, context: Context) -> Keys:
    """Create the keys of one modality in a causal context.

    Args:
        present: [N] bool; whether the utterance has the modality.
        position: [N] int64; position of each utterance in its conversation, from 0.
        context: A causal context.
    """
    back = position if context.window is None else position.clamp(max=context.window - 1)
    row = torch.arange(len(present), device=present.device)
    has_context = any_between(present, row - back, row)
    return Keys(present, has_context[:, None].float(), complete=False)


def combine_keys(keys: Sequence[Keys], window: int | None) -> KeyMask:
    """Create the mask of several encoders in a causal context from the keys [E] of their source modalities."""
    if all(key.complete for key in keys):
        return KeyMask(window)
    present = torch.stack([key.present for key in keys], dim=1)  # [N, E]
    has_context = torch.stack([key.has_context.squeeze(1) > 0 for key in keys], dim=1)  # [N, E]
    return KeyMask(window, present, has_context)
