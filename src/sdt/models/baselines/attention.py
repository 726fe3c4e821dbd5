"""Bilinear attention within each conversation, as in DialogueRNN and DialogueGCN before the classifier.

beta_i = softmax over the utterances j of the conversation of x_i^T W x_j, and x~_i = sum over j of beta_ij x_j.

Shapes: N utterances of the batch, d their width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.sdt.attention import layout_of


class Matching(nn.Module):
    """The attention; `weight` is W."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, width, bias=False)
        self.scale = math.sqrt(width)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """[N, d] to [N, d]."""
        layout = layout_of(batch)
        keys = layout.keys(torch.ones(len(batch), dtype=torch.bool, device=x.device))
        # The layout divides scores by the root of the width, as transformers do; these papers do not.
        query = self.weight(x) * self.scale  # [N, d]
        read = x.to(query.dtype)[:, None, None, :]  # [N, 1, 1, d]
        return layout.attend(query[:, None, None, :], read, read, [keys], 0.0).flatten(1)
