"""Hierarchical gated fusion (paper, section III-D).

Shapes: N utterances, M modalities, S sources of one target, d model width.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from sdt.errors import InputError
from sdt.models.config import FUSIONS
from sdt.plugins import plugins

RELIABILITY_WIDTH = 32
"""Hidden units that the reliability of a modality is computed with."""


class UnimodalFusion(nn.Module):
    """Unimodal-level gated fusion: gates the encoder outputs of one target modality and reduces them to width d.

    G = sigmoid(W H) * H for each source, H_m = Linear(concat of G). With the gate `frozen`, W is the identity:
    G = sigmoid(H) * H without parameters (the published program stores the identity matrix).
    """

    def __init__(self, width: int, sources: Sequence[str], gate: Literal["learned", "frozen", "none"]) -> None:
        super().__init__()
        self.gate = gate
        self.gates = nn.ModuleDict(
            {source: nn.Linear(width, width, bias=False) for source in sources} if gate == "learned" else {}
        )
        self.reduce = nn.Linear(len(sources) * width, width)

    def gated(self, source: str, h: Tensor) -> Tensor:
        """Compute G_{n->m} from H_{n->m}, [N, d]."""
        if self.gate == "none":
            return h
        z = self.gates[source](h) if self.gate == "learned" else h
        return torch.sigmoid(z) * h

    def forward(self, gated: Sequence[Tensor]) -> Tensor:
        """Compute H_m [N, d] from G_{n->m} [N, d] of every source, in order."""
        reduced: Tensor = self.reduce(torch.cat(list(gated), dim=1))  # [N, S * d] to [N, d]
        return reduced


class Reliability(nn.Module):
    """The reliability of a modality of an utterance, r = sigmoid(v . ReLU(W x) + b).

    x is the projection of its features. It is multiplied by r before any encoder, so that an unreliable modality adds
    little to its own branch and to those of the others, and r multiplies its fusion weight (`weigh`). b starts at 2, so
    that every modality is reliable at first.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, RELIABILITY_WIDTH)
        self.score = nn.Linear(RELIABILITY_WIDTH, 1)
        nn.init.constant_(self.score.bias, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Compute r, [N, d] to [N, 1]."""
        reliability: Tensor = self.score(torch.relu(self.hidden(x))).sigmoid()
        return reliability


def weigh(states: Tensor, weights: Tensor, reliability: Tensor) -> tuple[Tensor, Tensor]:
    """Fuse the states again, with weights proportional to weights * reliability.

    Args:
        states: H, [N, M, d].
        weights: The weights of a fusion, [N, M, d or 1].
        reliability: r, [N, M].

    Returns:
        F [N, d] and the weights, which sum to 1 over the modalities.
    """
    weights = weights * reliability[:, :, None]
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights * states).sum(dim=1), weights


class Fusion(nn.Module):
    """Multimodal-level fusion of the modalities' representations H_m into F.

    A missing modality has weight 0. An utterance without any modality is fused as if it had all of them: each H_m then
    contains information from the rest of the conversation only.

    To add a fusion, write a subclass with `__init__(width, modalities)` and `forward`, and add one line to `FUSIONS`
    (or an entry point in the group `sdt.fusions`).

    Args:
        width: d.
        modalities: M.
    """

    width: int
    """Width of F."""
    weights_kind: str
    """Description of the weights for reports: `learned`, `equal shares`, or another phrase such as `fixed: text
    0.7`."""
    temperature: float = 1.0
    """The setting `gate_temperature`: divides the scores of a learned gate before the softmax."""

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__()
        del modalities
        self.width = width

    def _weighted_sum(self, states: Tensor, scores: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the states [N, M, d] with the softmax of scores [N, M, d or 1] as weights; returns both."""
        scores = scores.float().masked_fill(~_allowed(present), float("-inf"))
        if self.temperature != 1:
            scores = scores / self.temperature
        weights = scores.softmax(dim=1).to(states.dtype)
        return (weights * states).sum(dim=1), weights

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse the representations.

        Args:
            states: H, [N, M, d].
            present: [N, M] bool.

        Returns:
            F [N, width] and the weights [N, M, d] (or [N, M, 1]), which sum to 1 over the modalities.
        """
        raise NotImplementedError


class GatedFusion(Fusion):
    """F = sum of weights_m * H_m, where weights = softmax of W H_m over the modalities, separately in each dimension.

    W is shared by the modalities.
    """

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__(width, modalities)
        # With one modality the softmax is always 1 and W would never receive a gradient.
        self.gate = nn.Linear(width, width, bias=False) if modalities > 1 else None
        self.weights_kind = "learned" if modalities > 1 else "equal shares"

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """See `Fusion.forward`."""
        if self.gate is None:
            masked, weights = _equal_shares(states, present)
            return masked.sum(dim=1), weights
        return self._weighted_sum(states, self.gate(states), present)  # [N, M, d]


class SelectiveFusion(Fusion):
    """F = sum of weights_m * H_m, with one weight per modality and utterance that depends on all modalities.

    weights = softmax over m of v_m^T tanh(W [H_m; mean of the H]), an additive attention over modalities (Bahdanau et
    al., ICLR 2015). The published gate scores each modality by itself in each dimension, so it cannot compare
    modalities; this one can. The mean is over the modalities that the utterance has.
    """

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__(width, modalities)
        self.compare = nn.Linear(2 * width, width) if modalities > 1 else None
        self.scores = nn.Parameter(torch.empty(modalities, width)) if modalities > 1 else None
        if self.scores is not None:
            nn.init.normal_(self.scores, std=width**-0.5)
        self.weights_kind = "learned" if modalities > 1 else "equal shares"

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """See `Fusion.forward`."""
        masked, shares = _equal_shares(states, present)
        if self.compare is None or self.scores is None:
            return masked.sum(dim=1), shares
        mean = (shares * masked).sum(dim=1, keepdim=True).expand_as(states)  # [N, M, d]
        hidden = torch.tanh(self.compare(torch.cat((states, mean), dim=2)))  # [N, M, d]
        return self._weighted_sum(states, (hidden * self.scores).sum(dim=2, keepdim=True), present)


class AdditiveFusion(Fusion):
    """F = sum of H_m; the weights are equal over the modalities that the utterance has."""

    weights_kind = "equal shares"

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """See `Fusion.forward`."""
        masked, weights = _equal_shares(states, present)
        return masked.sum(dim=1), weights


class ConcatenatedFusion(Fusion):
    """F = [H_1; ...; H_M] of width M * d; the weights are equal over the modalities that the utterance has."""

    weights_kind = "equal shares"

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__(width * modalities, modalities)

    def forward(self, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """See `Fusion.forward`."""
        masked, weights = _equal_shares(states, present)
        return masked.flatten(1), weights


def fusion_class(name: str) -> type[Fusion]:
    """Import the class of a fusion in `FUSIONS` or in an installed package.

    Raises:
        InputError: The package cannot be imported, or the registered object is not a subclass of `Fusion`.
    """
    if name in FUSIONS:
        module, _, attribute = FUSIONS[name].partition(":")
        found: type[Fusion] = getattr(importlib.import_module(module), attribute)
        return found
    kind = plugins("sdt.fusions")[name].load(type)
    if not issubclass(kind, Fusion):
        raise InputError(f"model.fusion: {name!r} is not a subclass of sdt.models.sdt.fusion.Fusion")
    return kind


def _allowed(present: Tensor) -> Tensor:
    """Whether a modality has a weight, [N, M] to [N, M, 1]: if it is present, or if no modality is."""
    return (present | ~present.any(dim=1, keepdim=True))[:, :, None]


def _equal_shares(states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """The states with missing modalities set to 0, and equal weights over the others; both [N, M, d]."""
    mask = _allowed(present).to(states.dtype)
    return mask * states, (mask / mask.sum(dim=1, keepdim=True)).expand_as(states)
