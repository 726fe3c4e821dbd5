"""The graph of MMGCN and MM-DFN: a node per modality of each utterance, edge weights by angular similarity.

Within a modality all vertices of a conversation are connected; across modalities those of the same utterance:

    A_ij = 1 - arccos(c_ij) / pi,    A_ij = gamma (1 - arccos(c_ij) / pi)  across modalities

with c_ij the cosine of the two states (times 0.99999 as in the released programs, so that the slope of arccos is
finite). A vertex is connected to itself. P = D^(-1/2) A D^(-1/2), D the sums of A's rows. The layers are those of GCNII
(Chen, Wei, Huang, Ding, Li: "Simple and Deep Graph Convolutional Networks", ICML 2020):

    layer l of H:  ((1 - a) P H + a H_0) ((1 - b_l) I + b_l W_l),    b_l = log(lambda / l + 1)

A modality that an utterance lacks is no neighbour: its vertex keeps the edge to itself alone.

The matrix of all vertices is never there: conversations are padded to one length for products within a modality, and
across modalities A is diagonal.

Shapes: N utterances of the batch; B conversations; T utterances of the longest; M modalities; d width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.baselines.inputs import check_edges
from sdt.models.sdt.attention import Padded

SHORTENED = 0.99999
"""What cosines are multiplied by."""


@dataclass(frozen=True)
class Graph:
    """P of a batch."""

    layout: Padded
    within: Tensor
    """[M, B, T, T]; P within each modality; 0 if there is no utterance."""
    across: Tensor
    """[M, M, N]; P between the modalities of each utterance; 0 for a modality and itself."""

    @classmethod
    def of(cls, states: Tensor, present: Tensor, batch: Batch, gamma: float) -> Graph:
        """The graph of states [M, N, d], of which utterances have some: present is [M, N] bool.

        Always in float32: in bfloat16 the cosine of equal states is 1, where arccos has no finite slope.

        Raises:
            InputError: It has too many edges, which grow with the square of the longest conversation.
        """
        check_edges("MMGCN and MM-DFN", len(states) * len(batch.lengths) * batch.longest**2, batch)
        with torch.autocast(states.device.type, enabled=False):
            return cls._of(states.float(), present, batch, gamma)

    @classmethod
    def _of(cls, states: Tensor, present: Tensor, batch: Batch, gamma: float) -> Graph:
        layout = Padded.of(batch)
        unit = F.normalize(states, dim=2)  # [M, N, d]
        there = torch.stack([layout.pad(of) for of in present])  # [M, B, T]
        real = layout.pad(torch.ones_like(present[0]))  # [B, T]
        padded = torch.stack([layout.pad(of) for of in unit])  # [M, B, T, d]
        same = torch.eye(layout.longest, dtype=torch.bool, device=states.device) & real[:, None, :]  # [B, T, T]
        joined = (there[:, :, :, None] & there[:, :, None, :]) | same  # [M, B, T, T]
        within = _weight(padded @ padded.mT) * joined
        cosine = torch.einsum("mnd,knd->mkn", unit, unit)  # [M, M, N]
        both = (
            present[:, None]
            & present[None]
            & ~torch.eye(len(states), dtype=torch.bool, device=states.device)[:, :, None]
        )
        across = gamma * _weight(cosine) * both
        degree = within.sum(dim=3).flatten(1)[:, layout.slots] + across.sum(dim=1)  # [M, N]; a vertex has itself
        scale = degree.rsqrt()
        scales = torch.stack([layout.pad(of) for of in scale])  # [M, B, T]
        return cls(
            layout, within * scales[:, :, :, None] * scales[:, :, None, :], across * scale[:, None] * scale[None]
        )

    def propagate(self, h: Tensor) -> Tensor:
        """P H: [M, N, d] to [M, N, d]."""
        padded = torch.stack([self.layout.pad(of) for of in h])  # [M, B, T, d]
        within = (self.within.to(h.dtype) @ padded).flatten(1, 2)[:, self.layout.slots]  # [M, N, d]
        return within + torch.einsum("mkn,knd->mnd", self.across.to(h.dtype), h)


def _weight(cosine: Tensor) -> Tensor:
    return 1 - torch.arccos(cosine.clamp(-1, 1) * SHORTENED) / math.pi


class GCNIILayer(nn.Module):
    """One layer of the graph network, without its activation."""

    def __init__(self, number: int, width: int, initial: float, identity: float) -> None:
        super().__init__()
        self.initial = initial
        """a, the share of H_0."""
        self.strength = math.log(identity / number + 1)
        """b_l of layer l = `number`, from 1."""
        self.weight = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor, first: Tensor, graph: Graph) -> Tensor:
        """[M, N, d] and H_0, likewise, to [M, N, d]."""
        mixed = (1 - self.initial) * graph.propagate(h) + self.initial * first
        transformed: Tensor = self.weight(mixed)
        return (1 - self.strength) * mixed + self.strength * transformed
