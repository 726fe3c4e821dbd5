"""Utterance-only baseline: an MLP that classifies each utterance from its own concatenated features.

This is the field's usual baseline without context and not from a particular paper. u_i are the concatenated features of
utterance i:

    h_i^0 = u_i,   h_i^l = dropout(ReLU(W_l h_i^(l-1) + b_l)),   logits_i = W h_i^L + b.

Other utterances and speakers are not used. Missing features are zero; without any modality, the prediction depends on
the biases only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.baselines.inputs import check_settings, concatenated
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class UtteranceConfig:
    """Settings of the utterance-only baseline."""

    width: int = 256
    """Width of the hidden layers."""
    layers: int = 1
    """Number of hidden layers."""
    dropout: float = 0.5
    """Dropout of the features and hidden layers."""
    speakers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings("utterance", self, at_least_one=("width", "layers"))


class UtteranceOnly(Model):
    """Utterance-only baseline; see the module docstring."""

    settings = UtteranceConfig
    title = "utterance only"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: UtteranceConfig = config.architecture
        widths = itertools.chain([sum(config.modalities.values())], itertools.repeat(settings.width, settings.layers))
        self.dropout = Dropout(settings.dropout)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.classifier = nn.Linear(settings.width, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        h: Tensor = self.dropout(concatenated(batch, self.config.modalities))  # [N, D]
        for layer in self.hidden:
            h = self.dropout(layer(h).relu())  # [N, d]
        return Output({FUSED: self.classifier(h)}, states={FUSED: h})
