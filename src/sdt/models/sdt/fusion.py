"""Hierarchical gated fusion (paper, section III-D).

Shapes: N utterances, M modalities, S sources of one target, d model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn


class UnimodalFusion(nn.Module):
    """Unimodal-level gated fusion: what one modality has gathered from all its sources, gated and reduced to d.

    G = sigmoid(W H) * H for each source, H_m = Linear(concat of G). With the gate `frozen`, W is the identity, so that
    G = sigmoid(H) * H and there are no parameters (the published program keeps the identity as a matrix).
    """

    def __init__(self, width: int, sources: Sequence[str], gate: Literal["learned", "frozen", "none"]) -> None:
        super().__init__()
        self.gate = gate
        self.gates = nn.ModuleDict(
            {source: nn.Linear(width, width, bias=False) for source in sources} if gate == "learned" else {}
        )
        self.reduce = nn.Linear(len(sources) * width, width)

    def gated(self, source: str, h: Tensor) -> Tensor:
        """G_{n->m} of H_{n->m}, [N, d]."""
        if self.gate == "none":
            return h
        z = self.gates[source](h) if self.gate == "learned" else h
        return torch.sigmoid(z) * h

    def forward(self, gated: Sequence[Tensor]) -> Tensor:
        """G_{n->m} [N, d] of every source, in their order; returns H_m [N, d]."""
        reduced: Tensor = self.reduce(torch.cat(list(gated), dim=1))  # [N, S * d] to [N, d]
        return reduced


class MultimodalFusion(nn.Module):
    """Multimodal-level fusion of the modalities' representations H_m.

    `gated`: weights = softmax over the modalities, separately in each dimension, of W H_m with one W for all;
    F = sum of weights_m * H_m. `addition`: F = sum of H_m. `concatenation`: F = [H_1; ...; H_M], M * d wide.
    A modality that an utterance lacks has no weight. An utterance that lacks all is fused as if it had all: then every
    H_m holds nothing but what the conversation around it told.
    """

    def __init__(self, width: int, modalities: int, how: Literal["gated", "addition", "concatenation"]) -> None:
        super().__init__()
        self.how = how
        self.width = width * modalities if how == "concatenation" else width
        """The width of F."""
        # With one modality the softmax is 1 whatever W is, and W would never receive a gradient.
        self.gate = nn.Linear(width, width, bias=False) if how == "gated" and modalities > 1 else None

    @property
    def learns_weights(self) -> bool:
        """Whether the weights are learned; without parameters they are equal shares."""
        return any(True for _ in self.parameters())

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            states: H, [N, M, d].
            present: [N, M] bool.

        Returns:
            F [N, d] (or [N, M * d]) and the weights [N, M, d], which sum to 1 over the modalities. Where fusion is not
            gated they are equal shares of the modalities that the utterance has.
        """
        allowed = (present | ~present.any(dim=1, keepdim=True))[:, :, None]  # [N, M, 1]
        if self.gate is not None:
            scores = self.gate(states).float().masked_fill(~allowed, float("-inf"))  # [N, M, d]
            weights = scores.softmax(dim=1).to(states.dtype)
            return (weights * states).sum(dim=1), weights
        mask = allowed.to(states.dtype)
        weights = (mask / mask.sum(dim=1, keepdim=True)).expand_as(states)
        kept = mask * states  # [N, M, d]
        return (kept.flatten(1) if self.how == "concatenation" else kept.sum(dim=1)), weights
