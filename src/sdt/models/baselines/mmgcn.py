"""MMGCN: deep graph convolutions over the modalities of all utterances of a conversation.

Hu, Liu, Zhao, Jin: "MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in
Conversation", ACL 2021, arXiv 2107.06779.

u^m are the features of modality m of the utterances of a conversation:

    encoding   x^m = BiLSTM(W_m u^m + b_m) for text;   x^m = W_m u^m + b_m for the other modalities
    speaker    x^m = x^m + S, where S is a learned speaker embedding
    graph      one node per modality of each utterance; see `sdt.models.baselines.modality_graph`
    layers     H_0 = ReLU(W x + b),   H_l = ReLU(layer l of GCNII of H_(l-1))
    logits     W_c ReLU([x^1; H_L^1; x^2; H_L^2; ...]) + b_c

`context` selects the modalities with a context LSTM; by default it is the first modality of the corpus, usually text.

As published: the equations. As in the released program: 4 layers, a = 0.1, lambda = 0.5, dropout between the layers,
and the widths as far as they are documented.

Differences from the released program, where this module follows the paper: the speaker embedding is part of every node
(the program adds it to text only), and the GCNII layers have their plain form (in the program, W_l has H_0 as a second
input, a variant by the authors of GCNII).

Missing features are zero, and the node of a missing modality is isolated.

Shapes: N utterances of the batch; M modalities; d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.baselines.inputs import features
from sdt.models.baselines.modality_graph import ModalityGraph, check_graph_settings, context_networks, gcnii_layers
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class MMGCNConfig:
    """Settings of MMGCN."""

    width: int = 200
    """Width of the encoded modalities x."""
    graph: int = 100
    """Width of the graph states H."""
    layers: int = 4
    """Layers of the graph network."""
    context: Literal["first", "all", "none"] = "first"
    """Modalities with a context LSTM: first (the corpus' first modality, usually text), all, or none."""
    context_layers: int = 2
    """Layers of the context LSTMs."""
    speakers: bool = True
    """Whether the speaker embedding is added."""
    gamma: float = 1.0
    """Weight of edges across modalities."""
    initial: float = 0.1
    """a, weight of the initial states H_0 in every layer."""
    identity: float = 0.5
    """lambda; smaller values bring the layers' matrices closer to the identity."""
    dropout: float = 0.4
    """Dropout before and between the layers, and before the classifier."""

    def __post_init__(self) -> None:
        check_graph_settings("mmgcn", self)


class MMGCN(Model):
    """MMGCN; see the module docstring."""

    settings = MMGCNConfig
    title = "MMGCN"
    source = (
        'Hu et al., "MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in '
        'Conversation", ACL 2021, arXiv 2107.06779'
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: MMGCNConfig = config.architecture
        sizes, width, speakers = config.modalities, settings.width, config.speakers.count
        self.projections = nn.ModuleDict({name: nn.Linear(size, width) for name, size in sizes.items()})
        self.contexts = context_networks(nn.LSTM, config)
        self.speakers = nn.Embedding(speakers + 1, width, padding_idx=speakers) if settings.speakers else None
        self.enter = nn.Linear(width, settings.graph)
        self.layers = gcnii_layers(settings)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(len(sizes) * (width + settings.graph), len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        steps = Steps.of_conversations(batch)
        encoded = []
        for name, projection in self.projections.items():
            x = projection(features(batch, name))
            if name in self.contexts:
                x = recurrent(self.contexts[name], x, steps)  # type: ignore[arg-type]
            encoded.append(x if self.speakers is None else x + self.speakers(batch.speaker))
        x = torch.stack(encoded)  # [M, N, d]
        present = torch.stack([batch.present[name] for name in self.projections])  # [M, N]
        graph = ModalityGraph.of(x, present, batch, self.config.architecture.gamma)
        x = self.dropout(x)
        first = self.enter(x).relu()  # H_0
        h = self.dropout(first)
        for layer in self.layers:
            h = self.dropout(layer(h, first, graph).relu())
        fused = torch.cat((x, h), dim=2).transpose(0, 1).flatten(1).relu()  # [N, M * (d + graph)]
        return Output({FUSED: self.classifier(self.dropout(fused))}, states={FUSED: fused})
