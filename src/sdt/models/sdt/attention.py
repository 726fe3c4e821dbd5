"""Attention within each conversation of a packed batch, for several encoders at once.

softmax(Q K^T / sqrt(d/H)) V, where an utterance attends to the utterances of its conversation that have the source
modality and are in its context (`sdt.models.context`). The heads of several encoders are stacked, so that small
operations are computed together.

Several layouts compute the same result. `Ragged` (CPU) processes one conversation at a time without padding, so its run
time depends on the number of utterances and not on the longest conversation. `Padded` (GPU) pads all conversations to
one length, because a few large operations are faster there than many small ones. `sdt.prediction.onnx` has a layout for
ONNX export and `sdt.models.sdt.kv_cache` one for streaming.

Shapes: N utterances of the batch, packed end to end; B conversations; T utterances of a conversation (`Ragged`) or of
the longest one (`Padded`); E encoders; H heads of an encoder; G = E * H; d model width.
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
from sdt.models.sdt.block_attention import Block, attend_with_gradient
from sdt.models.sdt.causal import KeyMask, any_between, attend_blocks, split_blocks


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


class Layout(Protocol):
    """Implementation of attention for the conversations of a batch."""

    @property
    def max_encoders(self) -> int:
        """Maximum number of encoders per call of `attend`."""

    def keys(self, present: Tensor) -> Keys:
        """Create the keys of one modality; `present` is [N] bool."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """Compute attention.

        Args:
            q: Queries [N, E, H, d/H].
            k: Keys [N, E, H, d/H].
            v: Values [N, E, H, d/H].
            keys: [E]; the keys of each encoder's source modality.
            dropout: Dropout of the attention weights.

        Returns:
            [N, E, H, d/H].
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

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Ragged:
        """Create the layout of a batch on the CPU."""
        ends = list(itertools.accumulate(batch.lengths.tolist()))
        return cls(tuple(zip([0, *ends], ends, strict=False)), context)

    @property
    def max_encoders(self) -> int:
        """As many as `MAX_ROWS` allows."""
        return max(1, MAX_ROWS // self.spans[-1][1])

    def keys(self, present: Tensor) -> Keys:
        """See `Layout.keys`."""
        if bool(present.all()):
            return Keys(present, torch.ones(len(present), 1, device=present.device), complete=True)
        if self.context.causal:
            starts = torch.cat([torch.full((b - a,), a) for a, b in self.spans])  # [N]
            return causal_keys(present, torch.arange(len(present)) - starts, self.context)
        has_context = torch.cat([present[a:b].any().expand(b - a) for a, b in self.spans])  # [N]
        return Keys(present | ~has_context, has_context[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`."""
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
            masked = None if missing is None else lambda block: missing[block.key : block.end].t()[:, None, :]
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

        def masked(block: Block) -> Tensor:
            mask = key_mask.masked(block)
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

    @classmethod
    def of(cls, batch: Batch, context: Context = FULL) -> Padded:
        """Create the layout of a batch, without synchronising the host with a GPU."""
        count = len(batch.lengths)
        index = torch.arange(count, device=batch.lengths.device)
        conversation = index.repeat_interleave(batch.lengths, output_size=len(batch))  # [N]
        return cls(conversation * batch.longest + batch.position, conversation, count, batch.longest, context)

    @property
    def max_encoders(self) -> int:
        """As many as `MAX_ROWS_PADDED` allows."""
        return max(1, MAX_ROWS_PADDED // (self.conversations * self.longest))

    def pad(self, x: Tensor) -> Tensor:
        """Pad [N, ...] to [B, T, ...] with zeros (or False)."""
        flat = x.new_zeros(self.conversations * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return flat.view(self.conversations, self.longest, *x.shape[1:])

    def keys(self, present: Tensor) -> Keys:
        """See `Layout.keys`."""
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
        output = F.scaled_dot_product_attention(q_, k_, v_, mask.transpose(1, 2)[:, :, None, :], dropout)
        return output.transpose(1, 2).flatten(0, 1)[self.slots].view(shape)

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
