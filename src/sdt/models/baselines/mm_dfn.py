"""MM-DFN: graph convolutions over the modalities of all utterances, with gates between the layers as in an LSTM.

Hu, Hou, Wei, Jiang, Mo: "MM-DFN: Multimodal Dynamic Fusion Network for Emotion Recognition in Conversations", ICASSP
2022, arXiv 2203.02385.

u^m are the features of modality m of the utterances of a conversation:

    context    c^m = BiGRU(W_m u^m + b_m) for text;   c^m = W_m u^m + b_m for the others
    speaker    s^m = BiGRU_s over W_m u^m + b_m of the utterances of the same speaker
    encoding   x^m = c^m + gamma_s s^m
    graph      one node per modality of each utterance; see `sdt.models.baselines.modality_graph`
    fusion     H_0 = ReLU(W x + b); in layer k, with the gates of an LSTM that runs over the layers,
                   i, f, o = sigmoid(W_(i,f,o) [H_(k-1); g_(k-1)] + b_(i,f,o)),   t = tanh(W_t [H_(k-1); g_(k-1)] + b_t)
                   C_k = f * C_(k-1) + i * t,   g_k = o * tanh(C_k)
                   H_k = H_(k-1) + ReLU(layer k of GCNII of g_k)
    logits     W_c ReLU([x^1; H_K^1; x^2; H_K^2; ...]) + b_c

The gates share parameters between the layers. `context` selects the modalities with a context network; by default it is
the first modality of the corpus, usually text.

As published: the equations, the order of the gates and the residual connection, checked against the released program.
The paper searches 8 to 64 layers; the default is 16.

Differences: the released program weights the speaker encoding of each modality separately (3, 0 and 1 for IEMOCAP);
here all modalities have the weight `speaker_weight`. The speaker network is shared by all modalities in both. The
released program can train with focal loss; all models here are trained with the same cross-entropy.

Missing features are zero, and the node of a missing modality is isolated.

Shapes: N utterances of the batch; M modalities; d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.base import Model, Output
from sdt.models.baselines.inputs import features, number_parties
from sdt.models.baselines.modality_graph import ModalityGraph, check_graph_settings, context_networks, gcnii_layers
from sdt.models.baselines.steps import Steps, bidirectional, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class MMDFNConfig:
    """Settings of MM-DFN."""

    width: int = 200
    """Width of the encoded modalities x."""
    graph: int = 100
    """Width of the graph states H."""
    layers: int = 16
    """Layers of the graph network."""
    context: Literal["first", "all", "none"] = "first"
    """Modalities with a context GRU: first (the corpus' first modality, usually text), all, or none."""
    context_layers: int = 2
    """Layers of the context GRUs and of the speaker GRU."""
    speaker_weight: float = 1.0
    """gamma_s, weight of the speaker encoding; 0 removes it."""
    gamma: float = 1.0
    """Weight of edges across modalities."""
    initial: float = 0.1
    """a, weight of the initial states H_0 in every layer."""
    identity: float = 0.5
    """lambda; smaller values bring the layers' matrices closer to the identity."""
    dropout: float = 0.4
    """Dropout before and between the layers, and before the classifier."""

    def __post_init__(self) -> None:
        check_graph_settings("mm_dfn", self)
        if not 0 <= self.speaker_weight < float("inf"):
            raise InputError(f"mm_dfn.speaker_weight: {self.speaker_weight} is not a number of 0 or more")

    @property
    def speakers(self) -> bool:
        """Whether the model uses speakers."""
        return self.speaker_weight > 0


class MMDFN(Model):
    """MM-DFN; see the module docstring."""

    settings = MMDFNConfig
    title = "MM-DFN"
    source = (
        'Hu et al., "MM-DFN: Multimodal Dynamic Fusion Network for Emotion Recognition in Conversations", ICASSP 2022, '
        "arXiv 2203.02385"
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: MMDFNConfig = config.architecture
        sizes, width = config.modalities, settings.width
        self.projections = nn.ModuleDict({name: nn.Linear(size, width) for name, size in sizes.items()})
        self.contexts = context_networks(nn.GRU, config)
        self.speaker = (
            bidirectional(nn.GRU, width, width, settings.context_layers, settings.dropout)
            if settings.speakers
            else None
        )
        self.enter = nn.Linear(width, settings.graph)
        self.gates = nn.LSTMCell(settings.graph, settings.graph)
        self.layers = gcnii_layers(settings)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(len(sizes) * (width + settings.graph), len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        x = self._encode(batch)  # [M, N, d]
        present = torch.stack([batch.present[name] for name in self.projections])  # [M, N]
        graph = ModalityGraph.of(x, present, batch, self.config.architecture.gamma)
        x = self.dropout(x)
        first = self.enter(x).relu()  # H_0
        h = self.dropout(first)
        g = c = torch.zeros_like(h.flatten(0, 1))  # [M * N, graph]
        for layer in self.layers:
            g, c = self.gates(h.flatten(0, 1), (g, c))
            h = h + self.dropout(layer(g.view_as(h), first, graph).relu())
        fused = torch.cat((x, h), dim=2).transpose(0, 1).flatten(1).relu()  # [N, M * (d + graph)]
        return Output({FUSED: self.classifier(self.dropout(fused))}, states={FUSED: fused})

    def _encode(self, batch: Batch) -> Tensor:
        """Compute x, [M, N, d]."""
        steps = Steps.of_conversations(batch)
        party_steps = Steps.of_parties(batch, *number_parties(batch))
        encoded = []
        for name, projection in self.projections.items():
            projected = projection(features(batch, name))
            x = recurrent(self.contexts[name], projected, steps) if name in self.contexts else projected  # type: ignore[arg-type]
            if self.speaker is not None:
                x = x + self.config.architecture.speaker_weight * recurrent(self.speaker, projected, party_steps)
            encoded.append(x)
        return torch.stack(encoded)
