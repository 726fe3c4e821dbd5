"""Attention weights of every encoder, recorded by a layout.

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
from sdt.models.context import Context
from sdt.models.sdt.attention import Keys, related_keys
from sdt.models.sdt.branches import Pair
from sdt.models.sdt.relations import Places, Relation, mask_missing

Maps = Mapping[Pair, npt.NDArray[np.float32]]
"""Target and source modality to attention weights [H, T, T] of queries (rows) and keys (columns). Rows sum to 1.
Weights are 0 for keys that lack the source modality or are outside the context; a row is 0 if its context has no
key."""


class RecordingLayout:
    """A `Layout` of one conversation that computes attention by its formula and records the weights."""

    max_encoders = 2**31 - 1
    """All encoders in one call, so each call of `attend` is one layer with the encoders in the model's order."""

    def __init__(self, context: Context, places: Places) -> None:
        self._relation = Relation.of(places[:, None], places[None, :])
        self._readable = self._relation.readable(context)  # [H or 1, T, T]
        self.recorded: list[Tensor] = []
        """Weights [E, H, T, T] of each layer."""

    def keys(self, present: Tensor) -> Keys:
        """See `Layout.keys`; `present` is [T] bool."""
        return related_keys(present, (self._readable & present).any(dim=2).t())

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """See `Layout.attend`; dropout is not supported, because models are explained in evaluation mode."""
        if dropout:
            raise ValueError("attention can only be recorded in evaluation mode")
        q, k, v = (x.permute(1, 2, 0, 3) for x in (q, k, v))  # [E, H, T, d/H]
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # [E, H, T, T]
        if bias is not None:
            scores = scores + bias[:, :, self._relation.buckets()]
        present = torch.stack([key.present for key in keys])[:, None]  # [E, 1, T]
        head_context = torch.stack([key.head_context.t() for key in keys if key.head_context is not None])  # [E, H', T]
        allowed = mask_missing(self._readable, present, head_context)  # [E, H or 1, T, T]
        weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
        self.recorded.append(weights * head_context[..., None])
        return (weights @ v).permute(2, 0, 1, 3)


def record_attention(model: Model, batch: Batch) -> tuple[Output, list[Maps]]:
    """Run a model on one conversation and record its attention weights.

    Args:
        model: A model in evaluation mode.
        batch: A batch of one conversation, on the model's device.

    Returns:
        The output of the model, and the attention maps of each layer in order.
    """
    if len(batch.lengths) != 1:
        raise ValueError(f"attention can be recorded for one conversation at a time, not for {len(batch.lengths)}")
    layout = RecordingLayout(model.attention_context, Places.of(batch))
    output = model.forward_with_layout(batch, layout)
    layers = [weights.float().cpu().numpy() for weights in layout.recorded]
    return output, [dict(zip(model.attention_pairs, weights, strict=True)) for weights in layers]
