"""MMGCN: deep graph convolutions over the modalities of all utterances of a conversation.

Hu, Liu, Zhao, Jin: "MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in
Conversation", ACL 2021, arXiv 2107.06779.

With u^m the features of modality m of the utterances of a conversation:

    encoding   x^m = BiLSTM(W_m u^m + b_m) for text, which has context of its own;   x^m = W_m u^m + b_m for the others
    speaker    x^m = x^m + S, S a learned embedding of who speaks
    graph      a vertex for each modality of each utterance, see `sdt.models.baselines.angular`
    layers     H_0 = ReLU(W x + b),   H_l = ReLU(layer l of GCNII of H_(l-1))
    logits     W_c ReLU([x^1; H_L^1; x^2; H_L^2; ...]) + b_c

No code here knows what text is: it is the corpus' first modality, or choose by `context`. 4 layers, a = 0.1 and
lambda = 0.5 are the released program's settings, and so are the widths as far as they could be found out.

What is not certain or differs: the released program adds the speaker embedding to text alone; the paper writes of the
embedding as part of every vertex, and so it is here. In the released program the product with W_l has H_0 beside the
mixture as a second input (the variant of GCNII's authors); the paper has GCNII's plain form, and so it is here.
Between layers is dropout, as in the released program.

A modality that an utterance lacks: its features are zero, and its vertex has no neighbours.

Shapes: N utterances of the batch; M modalities; d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from sdt.batch import Batch
from sdt.errors import InputError, near_miss
from sdt.models.base import Model, Output
from sdt.models.baselines.angular import GCNIILayer, Graph
from sdt.models.baselines.inputs import check_settings, features
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout

CONTEXTS = ("first", "all", "none")


@dataclass(frozen=True)
class MMGCNConfig:
    """The settings of MMGCN."""

    width: int = 200
    """Width of the encoded modalities x."""
    graph: int = 100
    """Width of the graph network's states H."""
    layers: int = 4
    """Layers of the graph network."""
    context: Literal["first", "all", "none"] = "first"
    """Which modalities have an LSTM of their own: the corpus' first, which usually is text; all; or none."""
    context_layers: int = 2
    """Layers of these LSTMs."""
    speakers: bool = True
    """Whether the speaker embedding is added."""
    gamma: float = 1.0
    """Weight of edges across modalities."""
    initial: float = 0.1
    """a, the share of the first states in every layer."""
    identity: float = 0.5
    """lambda; the smaller, the closer are the layers' matrices to the identity."""
    dropout: float = 0.4
    """Dropout before and between the layers, and before the classifier."""

    def __post_init__(self) -> None:
        check_graph_settings("mmgcn", self)


def check_graph_settings(group: str, settings: object) -> None:
    """Refuse settings that cannot be, of MMGCN or MM-DFN.

    Raises:
        InputError: Names the setting and its value.
    """
    check_settings(
        group,
        settings,
        at_least_one=("width", "graph", "layers", "context_layers"),
        shares=("dropout", "initial"),
    )
    width, context = settings.width, settings.context  # type: ignore[attr-defined]
    if width % 2:
        raise InputError(f"{group}.width: {width} is odd; the two directions of an LSTM share it")
    if context not in CONTEXTS:
        raise InputError(f"{group}.context: {context!r}{near_miss(str(context), CONTEXTS)}")
    for name in ("gamma", "identity"):
        if not 0 < getattr(settings, name) < float("inf"):
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is not a number above 0")


class MMGCN(Model):
    """See the head of this file."""

    settings = MMGCNConfig
    title = "MMGCN"
    source = (
        'Hu et al., "MMGCN: Multimodal Fusion via Deep Graph Convolution Network for Emotion Recognition in '
        'Conversation", ACL 2021, arXiv 2107.06779'
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: MMGCNConfig = config.architecture
        names, width = list(config.modalities), settings.width
        self.projections = nn.ModuleDict({name: nn.Linear(size, width) for name, size in config.modalities.items()})
        chosen = {"first": names[:1], "all": names, "none": []}[settings.context]
        layers = settings.context_layers
        self.contexts = nn.ModuleDict(
            {
                name: nn.LSTM(
                    width,
                    width // 2,
                    num_layers=layers,
                    bidirectional=True,
                    dropout=settings.dropout if layers > 1 else 0.0,
                )
                for name in chosen
            }
        )
        speakers = config.speakers.count
        self.speakers = nn.Embedding(speakers + 1, width, padding_idx=speakers) if settings.speakers else None
        self.enter = nn.Linear(width, settings.graph)
        self.layers = nn.ModuleList(
            GCNIILayer(number, settings.graph, settings.initial, settings.identity)
            for number in range(1, settings.layers + 1)
        )
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(len(names) * (width + settings.graph), len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        steps = Steps.of_conversations(batch)
        encoded = []
        for name, projection in self.projections.items():
            x = projection(features(batch, name))
            if name in self.contexts:
                x = recurrent(self.contexts[name], x, steps)  # type: ignore[arg-type]
            encoded.append(x if self.speakers is None else x + self.speakers(batch.speaker))
        x = torch.stack(encoded)  # [M, N, d]
        present = torch.stack([batch.present[name] for name in self.projections])  # [M, N]
        graph = Graph.of(x, present, batch, self.config.architecture.gamma)
        x = self.dropout(x)
        first = self.enter(x).relu()  # H_0
        h = self.dropout(first)
        for layer in self.layers:
            h = self.dropout(layer(h, first, graph).relu())
        read = torch.cat((x, h), dim=2).transpose(0, 1).flatten(1).relu()  # [N, M * (d + graph)]
        return Output({FUSED: self.classifier(self.dropout(read))}, states={FUSED: read})
