"""Bilinear attention within each conversation, used by DialogueRNN and DialogueGCN before the classifier.

beta_i = softmax over the utterances j of the conversation of x_i^T W x_j;  x~_i = sum over j of beta_ij x_j.

Shapes: N utterances of the batch; d width of x.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.sdt.attention import layout_of


class BilinearAttention(nn.Module):
    """The attention layer; `weight` is W.

    Args:
        width: d.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, width, bias=False)
        self.scale = math.sqrt(width)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """Compute x~ of x, [N, d] to [N, d]."""
        layout = layout_of(batch)
        keys = layout.keys(torch.ones(len(batch), dtype=torch.bool, device=x.device))
        # The layout divides the scores by the square root of the width, as in transformers; these papers do not.
        query = self.weight(x) * self.scale  # [N, d]
        memory = x.to(query.dtype)[:, None, None, :]  # [N, 1, 1, d]
        return layout.attend(query[:, None, None, :], memory, memory, [keys], 0.0).flatten(1)
