"""The graph network of MMGCN and MM-DFN: one node per modality of each utterance, edges weighted by angular similarity.

Within a modality, all nodes of a conversation are connected; across modalities, the nodes of the same utterance are:

    A_ij = 1 - arccos(c_ij) / pi,    A_ij = gamma (1 - arccos(c_ij) / pi)  across modalities

c_ij is the cosine of the two states, multiplied by 0.99999 as in the released programs to keep the gradient of arccos
finite. Every node has an edge to itself. P = D^(-1/2) A D^(-1/2), where D is the diagonal matrix of the row sums of A.
The layers are those of GCNII (Chen, Wei, Huang, Ding, Li: "Simple and Deep Graph Convolutional Networks", ICML 2020):

    layer l of H:  ((1 - a) P H + a H_0) ((1 - b_l) I + b_l W_l),    b_l = log(lambda / l + 1)

If an utterance lacks a modality, its node is isolated: it only has the edge to itself.

The full adjacency matrix is never built: conversations are padded to one length for products within a modality, and A
is diagonal across modalities.

Shapes: N utterances of the batch; B conversations; T utterances of the longest conversation; M modalities; d width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError, near_miss
from sdt.models.baselines.inputs import check_edges, check_settings
from sdt.models.baselines.steps import Network, bidirectional
from sdt.models.config import ModelConfig
from sdt.models.sdt.attention import Padded

COSINE_SCALE = 0.99999
"""Factor of the cosines."""
CONTEXTS = ("first", "all", "none")
"""Values of the setting `context`."""


def check_graph_settings(group: str, settings: Any) -> None:  # noqa: ANN401 - MMGCNConfig or MMDFNConfig
    """Validate the settings that MMGCN and MM-DFN have in common.

    Raises:
        InputError: A setting is invalid; the message names it and its value.
    """
    sizes = ("width", "graph", "layers", "context_layers")
    check_settings(group, settings, at_least_one=sizes, shares=("dropout", "initial"))
    if settings.width % 2:
        raise InputError(f"{group}.width: {settings.width} is odd; each of the two directions has half the width")
    if settings.context not in CONTEXTS:
        raise InputError(f"{group}.context: {settings.context!r}{near_miss(str(settings.context), CONTEXTS)}")
    for name in ("gamma", "identity"):
        if not 0 < getattr(settings, name) < float("inf"):
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is not a number above 0")


def context_networks(kind: type[Network], config: ModelConfig) -> nn.ModuleDict:
    """Create the recurrent networks of the modalities that the setting `context` selects."""
    settings, names = config.architecture, list(config.modalities)
    selected = {"first": names[:1], "all": names, "none": []}[settings.context]
    width, layers, dropout = settings.width, settings.context_layers, settings.dropout
    return nn.ModuleDict({name: bidirectional(kind, width, width, layers, dropout) for name in selected})


def gcnii_layers(settings: Any) -> nn.ModuleList:  # noqa: ANN401 - MMGCNConfig or MMDFNConfig
    """Create the layers of the graph network."""
    numbers = range(1, settings.layers + 1)
    return nn.ModuleList(GCNIILayer(n, settings.graph, settings.initial, settings.identity) for n in numbers)


@dataclass(frozen=True)
class ModalityGraph:
    """The normalised adjacency matrix P of a batch."""

    layout: Padded
    within: Tensor
    """[M, B, T, T]; P within each modality; 0 for padding."""
    across: Tensor
    """[M, M, N]; P between the modalities of each utterance; 0 on the diagonal."""

    @classmethod
    def of(cls, states: Tensor, present: Tensor, batch: Batch, gamma: float) -> ModalityGraph:
        """Build the graph of a batch.

        Always in float32: in bfloat16 the scaled cosine of equal states is 1, where the gradient of arccos is infinite.

        Args:
            states: [M, N, d].
            present: [M, N] bool; whether the utterance has the modality.
            batch: The batch.
            gamma: Weight of edges across modalities.

        Raises:
            InputError: The graph has too many edges; their number grows with the square of the longest conversation.
        """
        check_edges("MMGCN and MM-DFN", len(states) * len(batch.lengths) * batch.longest**2, batch)
        with torch.autocast(states.device.type, enabled=False):
            return cls._of(states.float(), present, batch, gamma)

    @classmethod
    def _of(cls, states: Tensor, present: Tensor, batch: Batch, gamma: float) -> ModalityGraph:
        layout = Padded.of(batch)
        unit = F.normalize(states, dim=2)  # [M, N, d]
        padded_present = torch.stack([layout.pad(x) for x in present])  # [M, B, T]
        real = layout.pad(torch.ones_like(present[0]))  # [B, T]
        padded = torch.stack([layout.pad(x) for x in unit])  # [M, B, T, d]
        same = torch.eye(layout.longest, dtype=torch.bool, device=states.device) & real[:, None, :]  # [B, T, T]
        connected = (padded_present[:, :, :, None] & padded_present[:, :, None, :]) | same  # [M, B, T, T]
        within = _weight(padded @ padded.mT) * connected
        cosine = torch.einsum("mnd,knd->mkn", unit, unit)  # [M, M, N]
        both = (
            present[:, None]
            & present[None]
            & ~torch.eye(len(states), dtype=torch.bool, device=states.device)[:, :, None]
        )
        across = gamma * _weight(cosine) * both
        degree = within.sum(dim=3).flatten(1)[:, layout.slots] + across.sum(dim=1)  # [M, N]; above 0 by the own edge
        scale = degree.rsqrt()
        scales = torch.stack([layout.pad(x) for x in scale])  # [M, B, T]
        return cls(
            layout, within * scales[:, :, :, None] * scales[:, :, None, :], across * scale[:, None] * scale[None]
        )

    def propagate(self, h: Tensor) -> Tensor:
        """Compute P H: [M, N, d] to [M, N, d]."""
        padded = torch.stack([self.layout.pad(x) for x in h])  # [M, B, T, d]
        within = (self.within.to(h.dtype) @ padded).flatten(1, 2)[:, self.layout.slots]  # [M, N, d]
        return within + torch.einsum("mkn,knd->mnd", self.across.to(h.dtype), h)


def _weight(cosine: Tensor) -> Tensor:
    return 1 - torch.arccos(cosine.clamp(-1, 1) * COSINE_SCALE) / math.pi


class GCNIILayer(nn.Module):
    """One layer of the graph network, without the activation.

    Args:
        number: l, from 1.
        width: Width of H.
        initial: a.
        identity: lambda.
    """

    def __init__(self, number: int, width: int, initial: float, identity: float) -> None:
        super().__init__()
        self.initial = initial
        """a, the weight of H_0."""
        self.strength = math.log(identity / number + 1)
        """b_l."""
        self.weight = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor, first: Tensor, graph: ModalityGraph) -> Tensor:
        """Apply the layer to H and H_0, both [M, N, d]; returns [M, N, d]."""
        mixed = (1 - self.initial) * graph.propagate(h) + self.initial * first
        transformed: Tensor = self.weight(mixed)
        return (1 - self.strength) * mixed + self.strength * transformed
