"""Early fusion: a transformer encoder over the concatenated features of all modalities.

This baseline is not from a particular paper. It is SDT without separate modalities: one encoder instead of M * M, no
gates, no students. u_i are the concatenated features of utterance i:

    x_i = dropout(W u_i + b + position_i + speaker_i)
    h   = transformer encoder of L layers over the utterances of the conversation (Vaswani et al., "Attention Is All
          You Need", NeurIPS 2017; pre-norm, as in Xiong et al., ICML 2020)
    logits_i = W_c LayerNorm(h_i) + b_c

Positions, speaker embeddings and encoder layers are those of SDT (`sdt.models.sdt.encoder`).

Missing features are zero. An utterance without any modality is not a key or value in attention; its prediction depends
on the other utterances only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.base import Model, Output
from sdt.models.baselines.inputs import check_settings, concatenated
from sdt.models.config import FUSED, Architecture, ModelConfig
from sdt.models.dropout import Dropout
from sdt.models.sdt.attention import layout_of
from sdt.models.sdt.encoder import LAYER_NORM_EPS, EncoderLayer, SinusoidalPositions


@dataclass(frozen=True)
class EarlyFusionConfig:
    """Settings of early fusion."""

    width: int = 256
    """Width of the encoder."""
    heads: int = 8
    """Number of attention heads; must divide the width."""
    layers: int = 2
    """Layers of the encoder."""
    feed_forward: int | None = None
    """Hidden width of the feed-forward networks; null for the width."""
    dropout: float = 0.5
    """Dropout of inputs, attention weights and feed-forward networks."""
    positions: bool = True
    """Whether the position in the conversation is added to the input."""
    speakers: bool = True
    """Whether the speaker embedding is added to the input."""

    def __post_init__(self) -> None:
        check_settings("early_fusion", self, at_least_one=("width", "heads", "layers"))
        if self.feed_forward is not None and self.feed_forward < 1:
            raise InputError(f"early_fusion.feed_forward: {self.feed_forward} is less than 1")
        if self.width % self.heads:
            raise InputError(f"early_fusion.heads: {self.heads} heads do not divide early_fusion.width {self.width}")
        if self.width % 2:
            raise InputError(f"early_fusion.width: {self.width} is odd; sine and cosine positions need an even width")


class EarlyFusion(Model):
    """Early fusion; see the module docstring."""

    settings = EarlyFusionConfig
    title = "early fusion with a transformer"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: EarlyFusionConfig = config.architecture
        width, speakers = settings.width, config.speakers.count
        self.projection = nn.Linear(sum(config.modalities.values()), width)
        self.positions = SinusoidalPositions(width) if settings.positions else None
        self.speakers = nn.Embedding(speakers + 1, width, padding_idx=speakers) if settings.speakers else None
        self.dropout = Dropout(settings.dropout)
        layer = Architecture(
            width=width, heads=settings.heads, feed_forward=settings.feed_forward, dropout=settings.dropout
        )
        self.layers = nn.ModuleList(EncoderLayer(layer, first=False, intra=True) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.classifier = nn.Linear(width, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        h: Tensor = self.projection(concatenated(batch, self.config.modalities))  # [N, d]
        if self.positions is not None:
            h = h + self.positions(batch.position)
        if self.speakers is not None:
            h = h + self.speakers(batch.speaker)
        h = self.dropout(h)
        layout = layout_of(batch)
        keys = layout.keys(torch.stack([batch.present[name] for name in self.config.modalities]).any(dim=0))
        dropout = self.config.architecture.dropout if self.training else 0.0
        for layer in self.layers:
            q, k, v = (x[:, None] for x in layer.before_attention(h, h))  # type: ignore[operator] # [N, 1, H, d/H]
            attended = layout.attend(q, k, v, [keys], dropout)
            h = layer.after_attention(h, attended.squeeze(1), keys)  # type: ignore[operator]
        h = self.norm(h)
        return Output({FUSED: self.classifier(h)}, states={FUSED: h})
