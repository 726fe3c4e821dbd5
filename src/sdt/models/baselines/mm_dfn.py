"""MM-DFN: graph convolutions over modalities, with gates that carry from layer to layer what is worth keeping.

Hu, Hou, Wei, Jiang, Mo: "MM-DFN: Multimodal Dynamic Fusion Network for Emotion Recognition in Conversations", ICASSP
2022, arXiv 2203.02385.

With u^m the features of modality m of the utterances of a conversation:

    context    c^m = BiGRU(W_m u^m + b_m) for text;   c^m = W_m u^m + b_m for the others
    speaker    s^m = BiGRU_s over the utterances of the same speaker alone, of W_m u^m + b_m
    encoding   x^m = c^m + gamma_s s^m
    graph      a vertex for each modality of each utterance, see `sdt.models.baselines.angular`
    fusion     H_0 = ReLU(W x + b); in layer k, with gates as of an LSTM whose time is the layers,
                   i, f, o = sigmoid(W_(i,f,o) [H_(k-1); g_(k-1)] + b_(i,f,o)),   t = tanh(W_t [H_(k-1); g_(k-1)] + b_t)
                   C_k = f * C_(k-1) + i * t,   g_k = o * tanh(C_k)
                   H_k = H_(k-1) + ReLU(layer k of GCNII of g_k)
    logits     W_c ReLU([x^1; H_K^1; x^2; H_K^2; ...]) + b_c

The gates are the same in every layer. No code here knows what text is: it is the corpus' first modality, or choose by
`context`.

What is not certain or differs: equations, the gates' order and the residual were checked with the released program. It
weighs the speaker's part of each modality with a number of its own (3, 0 and 1 for IEMOCAP) and has one speaker network
for all modalities; here all have one weight, `speaker_weight`, and one network. Its other losses (focal loss) are left
aside: all models here are trained by the same cross-entropy. The paper searches 8 to 64 layers; the default here is 16.

A modality that an utterance lacks: its features are zero, and its vertex has no neighbours.

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
from sdt.models.baselines.angular import GCNIILayer, Graph
from sdt.models.baselines.inputs import features, parties
from sdt.models.baselines.mmgcn import check_graph_settings
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class MMDFNConfig:
    """The settings of MM-DFN."""

    width: int = 200
    """Width of the encoded modalities x."""
    graph: int = 100
    """Width of the graph network's states H."""
    layers: int = 16
    """Layers of the graph network."""
    context: Literal["first", "all", "none"] = "first"
    """Which modalities have a GRU of their own: the corpus' first, which usually is text; all; or none."""
    context_layers: int = 2
    """Layers of these GRUs and of the speakers' GRU."""
    speaker_weight: float = 1.0
    """gamma_s, the weight of the speakers' part; 0 leaves it out."""
    gamma: float = 1.0
    """Weight of edges across modalities."""
    initial: float = 0.1
    """a, the share of the first states in every layer."""
    identity: float = 0.5
    """lambda; the smaller, the closer are the layers' matrices to the identity."""
    dropout: float = 0.4
    """Dropout before and between the layers, and before the classifier."""

    def __post_init__(self) -> None:
        check_graph_settings("mm_dfn", self)
        if not 0 <= self.speaker_weight < float("inf"):
            raise InputError(f"mm_dfn.speaker_weight: {self.speaker_weight} is not a number of 0 or more")

    @property
    def speakers(self) -> bool:
        """Whether the model looks at who speaks."""
        return self.speaker_weight > 0


class MMDFN(Model):
    """See the head of this file."""

    settings = MMDFNConfig
    title = "MM-DFN"
    source = (
        'Hu et al., "MM-DFN: Multimodal Dynamic Fusion Network for Emotion Recognition in Conversations", ICASSP 2022, '
        "arXiv 2203.02385"
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: MMDFNConfig = config.architecture
        names, width = list(config.modalities), settings.width
        self.projections = nn.ModuleDict({name: nn.Linear(size, width) for name, size in config.modalities.items()})
        chosen = {"first": names[:1], "all": names, "none": []}[settings.context]
        self.contexts = nn.ModuleDict({name: _gru(settings) for name in chosen})
        self.speaker = _gru(settings) if settings.speakers else None
        self.enter = nn.Linear(width, settings.graph)
        self.gates = nn.LSTMCell(settings.graph, settings.graph)
        self.layers = nn.ModuleList(
            GCNIILayer(number, settings.graph, settings.initial, settings.identity)
            for number in range(1, settings.layers + 1)
        )
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(len(names) * (width + settings.graph), len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        x = self._encoded(batch)  # [M, N, d]
        present = torch.stack([batch.present[name] for name in self.projections])  # [M, N]
        graph = Graph.of(x, present, batch, self.config.architecture.gamma)
        x = self.dropout(x)
        first = self.enter(x).relu()  # H_0
        h = self.dropout(first)
        g = c = torch.zeros_like(h.flatten(0, 1))  # [M * N, graph]
        for layer in self.layers:
            g, c = self.gates(h.flatten(0, 1), (g, c))
            h = h + self.dropout(layer(g.view_as(h), first, graph).relu())
        read = torch.cat((x, h), dim=2).transpose(0, 1).flatten(1).relu()  # [N, M * (d + graph)]
        return Output({FUSED: self.classifier(self.dropout(read))}, states={FUSED: read})

    def _encoded(self, batch: Batch) -> Tensor:
        """x, [M, N, d]."""
        steps = Steps.of_conversations(batch)
        of_speakers = Steps.of_parties(batch, *parties(batch))
        encoded = []
        for name, projection in self.projections.items():
            projected = projection(features(batch, name))
            x = recurrent(self.contexts[name], projected, steps) if name in self.contexts else projected  # type: ignore[arg-type]
            if self.speaker is not None:
                x = x + self.config.architecture.speaker_weight * recurrent(self.speaker, projected, of_speakers)
            encoded.append(x)
        return torch.stack(encoded)


def _gru(settings: MMDFNConfig) -> nn.GRU:
    layers = settings.context_layers
    return nn.GRU(
        settings.width,
        settings.width // 2,
        num_layers=layers,
        bidirectional=True,
        dropout=settings.dropout if layers > 1 else 0.0,
    )
