"""Utterance alone: each utterance is classified by itself, from the features of all its modalities side by side.

No paper is its source: it is the usual baseline of the field that says what context is worth. With u_i the concatenated
features,

    h_i^0 = u_i,   h_i^l = dropout(ReLU(W_l h_i^(l-1) + b_l)),   logits_i = W h_i^L + b.

It looks neither at other utterances nor at speakers. What an utterance lacks is zero in u_i; where it lacks everything,
the classes' frequencies are all that is left.
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
    """The settings of the utterance-only classifier."""

    width: int = 256
    """Width of the hidden layers."""
    layers: int = 1
    """Hidden layers."""
    dropout: float = 0.5
    """Dropout of the features and of the hidden layers."""
    speakers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings("utterance", self, at_least_one=("width", "layers"))


class UtteranceOnly(Model):
    """See the head of this file."""

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
        """Read a batch."""
        h: Tensor = self.dropout(concatenated(batch, self.config.modalities))  # [N, D]
        for layer in self.hidden:
            h = self.dropout(layer(h).relu())  # [N, d]
        return Output({FUSED: self.classifier(h)}, states={FUSED: h})
