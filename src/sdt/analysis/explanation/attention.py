"""Attention weights of every encoder, recorded with a layout that keeps them.

Shapes: T utterances of one conversation; E encoders; H heads of an encoder; d model width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.context import FULL, Context
from sdt.models.sdt.attention import Keys
from sdt.models.sdt.branches import Pair

Maps = Mapping[Pair, npt.NDArray[np.float32]]
"""Target and source modality to [H, T, T]: how much an utterance (row) reads each utterance (column). Rows sum to 1; an
utterance that lacks the source has a column of 0, and so has what lies beyond the context. Where the whole context
lacks the source nothing is read: the row is 0."""


class RecordingLayout:
    """A `Layout` of one conversation that computes attention by its formula and keeps the weights."""

    max_encoders = 2**31 - 1
    """All in one call, so that every call is a layer and the encoders in it are in the model's order."""

    def __init__(self, context: Context = FULL) -> None:
        self.context = context
        self.recorded: list[Tensor] = []
        """Of each layer, [E, H, T, T]."""

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality; `present` is [T] bool."""
        has_context = (readable(len(present), self.context, present.device) & present).any(dim=1)  # [T]
        return Keys(present, has_context[:, None].float(), complete=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`; without dropout, for a model is explained as it is used."""
        if dropout:
            raise ValueError("attention is recorded in evaluation mode only")
        q, k, v = (x.permute(1, 2, 0, 3) for x in (q, k, v))  # [E, H, T, d/H]
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # [E, H, T, T]
        present = torch.stack([key.present for key in keys])[:, None, None, :]  # [E, 1, 1, T]
        has_context = torch.stack([key.has_context for key in keys])[:, None]  # [E, 1, T, 1]
        # Without context an utterance reads everything, since softmax needs a key; `has_context` masks the result.
        allowed = readable(len(q[0, 0]), self.context, q.device) & (present | (has_context == 0))  # [E, 1, T, T]
        weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
        self.recorded.append(weights * has_context)
        return (weights @ v).permute(2, 0, 1, 3)


def readable(length: int, context: Context, device: torch.device | None = None) -> Tensor:
    """Which utterances (columns) each utterance (row) of a conversation may read: [T, T] bool."""
    allowed = torch.ones(length, length, dtype=torch.bool, device=device)
    if context.causal:
        allowed = allowed.tril()
    if context.window is not None:
        allowed = allowed.triu(1 - context.window)
    return allowed


def record_attention(model: Model, batch: Batch) -> tuple[Output, list[Maps]]:
    """Read one conversation, and keep what attention weighed.

    Args:
        model: In evaluation mode.
        batch: Of one conversation, where the model is.

    Returns:
        What the model says, as ever, and the maps of each layer, the first layer first.
    """
    if len(batch.lengths) != 1:
        raise ValueError(f"attention is recorded of one conversation at a time, not of {len(batch.lengths)}")
    layout = RecordingLayout(model.attention_context)
    output = model.forward_with_layout(batch, layout)
    layers = [weights.float().cpu().numpy() for weights in layout.recorded]
    return output, [dict(zip(model.attention_pairs, weights, strict=True)) for weights in layers]
