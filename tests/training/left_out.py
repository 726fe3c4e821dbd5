"""A custom model, not all of whose parameters take part in every step."""

from __future__ import annotations

import torch
from torch import nn

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.config import FUSED, ModelConfig


class LeftOut(Model):
    """Linear; utterances from the fourth of a conversation on have a second map. A third one is never used."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        width, labels = sum(config.modalities.values()), len(config.labels)
        self.always, self.late, self.never = (nn.Linear(width, labels) for _ in range(3))

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        x = torch.cat([batch.features[name] for name in self.config.modalities], dim=1)
        logits, late = self.always(x), batch.position >= 3
        if late.any():
            logits = logits + self.late(x) * late[:, None]
        return Output({FUSED: logits})
