"""The inputs and the intra- and inter-modal transformer encoders of SDT (paper, sections III-B and III-C).

Linear layers process the N utterances without padding; `sdt.models.sdt.attention` keeps conversations separate.

Shapes: N utterances of the batch, packed end to end; d model width; H heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.models.config import Architecture
from sdt.models.dropout import Dropout
from sdt.models.sdt.attention import Keys, mask_heads
from sdt.models.sdt.relations import RelativePositions

LAYER_NORM_EPS = 1e-6


class SinusoidalPositions(nn.Module):
    """Sinusoidal position embeddings: sine in even columns, cosine in odd columns, base 10000."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
        self.register_buffer("frequencies", frequencies, persistent=False)  # [d/2]

    def forward(self, position: Tensor) -> Tensor:
        """Embed positions [N] to [N, d]."""
        angle = position[:, None].float() * self.frequencies  # [N, d/2]
        return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # [N, d]


class Attention(nn.Module):
    """The linear layers of multi-head attention; a `Layout` computes the attention (`sdt.models.sdt.attention`)."""

    def __init__(self, width: int, heads: int, dropout: float, *, relative: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.relative = RelativePositions(heads) if relative else None

    def project(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute Q of the target modality, K and V of the source modality: [N, d] to [N, H, d/H]."""
        q, k, v = self.query(queries), self.key(memory), self.value(memory)
        return tuple(x.unflatten(1, (self.heads, -1)) for x in (q, k, v))


class FeedForward(nn.Module):
    """W2 dropout(gelu(W1 LayerNorm(h))), with the tanh approximation of GELU."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        """Apply the network, [N, d] to [N, d]."""
        inner = F.gelu(self.expand(self.norm(h)), approximate="tanh")  # [N, hidden]
        contracted: Tensor = self.contract(self.dropout(inner))
        return contracted


class EncoderLayer(nn.Module):
    """One encoder layer: without a layer norm before attention if it is the first (as published), otherwise pre-norm.

    For later layers, the published program keeps the normalised tensor in the residual and never updates the keys of an
    intra-modal encoder. No published result uses more than one layer, so later layers are standard pre-norm layers
    here.

    The layer has two methods, before and after attention, so that attention is computed for several encoders at once.
    """

    def __init__(self, settings: Architecture, *, first: bool, intra: bool) -> None:
        super().__init__()
        width = settings.width
        self.intra = intra
        self.query_norm = None if first else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.memory_norm = None if first or intra else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attention = Attention(width, settings.heads, settings.dropout, relative=settings.relative_positions)
        self.feed_forward = FeedForward(width, settings.feed_forward or width, settings.dropout)
        self.dropout = Dropout(settings.dropout)

    def before_attention(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute Q, K and V [N, H, d/H]; an intra-modal layer uses `x` as memory and ignores `memory`."""
        queries = x if self.query_norm is None else self.query_norm(x)
        if self.intra:
            memory = queries
        elif self.memory_norm is not None:
            memory = self.memory_norm(memory)
        return self.attention.project(queries, memory)

    def after_attention(self, x: Tensor, attended: Tensor, keys: Keys) -> Tensor:
        """Compute the output of the layer, [N, d].

        Args:
            x: Input of the layer [N, d], the residual.
            attended: Output of attention [N, H, d/H].
            keys: Keys of the source modality; the attention output of an utterance without any key is replaced by 0.
        """
        update: Tensor = self.attention.output(mask_heads(attended, keys).flatten(1))
        if not keys.complete:
            update = update * keys.has_context
        h = x + self.dropout(update)
        output: Tensor = h + self.dropout(self.feed_forward(h))
        return output


class ModalEncoder(nn.Module):
    """The encoder of one ordered pair of modalities: queries from the target, keys and values from the source.

    It is intra-modal if both are the same, otherwise inter-modal.
    """

    def __init__(self, settings: Architecture, *, intra: bool) -> None:
        super().__init__()
        self.intra = intra
        self.dropout = Dropout(settings.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(settings, first=number == 0, intra=intra) for number in range(settings.layers)
        )

    def streams(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Apply dropout to the inputs X_m and X_n of the first layer, [N, d]; an intra-modal encoder has one stream."""
        x: Tensor = self.dropout(target)
        return x, x if self.intra else self.dropout(source)
