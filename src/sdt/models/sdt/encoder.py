"""The inputs and the intra- and inter-modal transformer encoders of SDT (paper, sections III-B and III-C).

Shapes: N utterances of the batch, packed end to end; d model width; H heads. Every linear map sees the N real
utterances and nothing else; how attention keeps conversations apart is in `sdt.models.sdt.attention`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.models.config import Architecture
from sdt.models.dropout import Dropout
from sdt.models.sdt.attention import Keys

LAYER_NORM_EPS = 1e-6


class SinusoidalPositions(nn.Module):
    """Positions of the utterances in their conversation: sine in even columns, cosine in odd ones, base 10000."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
        self.register_buffer("frequencies", frequencies, persistent=False)  # [d/2]

    def forward(self, position: Tensor) -> Tensor:
        """[N] to [N, d]."""
        angle = position[:, None].float() * self.frequencies  # [N, d/2]
        return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # [N, d]


class Attention(nn.Module):
    """The linear maps of multi-head attention; what lies between them is the layout's (`sdt.models.sdt.attention`)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def project(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q of the target modality, K and V of the source modality: [N, d] to [N, H, d/H]."""
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
        """[N, d] to [N, d]."""
        inner = F.gelu(self.expand(self.norm(h)), approximate="tanh")  # [N, hidden]
        contracted: Tensor = self.contract(self.dropout(inner))
        return contracted


class EncoderLayer(nn.Module):
    """One layer. The first of an encoder does not normalise before attention (as published), further ones do.

    For further layers the published program keeps the normalised tensor in the residual and never updates the keys of
    an intra-modal encoder; nothing published uses that, so here they are ordinary pre-norm layers.

    Attention lies between the layer's two methods, so that it can be computed for several encoders at once.
    """

    def __init__(self, settings: Architecture, *, first: bool, intra: bool) -> None:
        super().__init__()
        width = settings.width
        self.intra = intra
        self.query_norm = None if first else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.memory_norm = None if first or intra else nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attention = Attention(width, settings.heads, settings.dropout)
        self.feed_forward = FeedForward(width, settings.feed_forward or width, settings.dropout)
        self.dropout = Dropout(settings.dropout)

    def before_attention(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q, K and V [N, H, d/H]; an intra-modal layer reads `x` itself and ignores `memory`."""
        queries = x if self.query_norm is None else self.query_norm(x)
        if self.intra:
            memory = queries
        elif self.memory_norm is not None:
            memory = self.memory_norm(memory)
        return self.attention.project(queries, memory)

    def after_attention(self, x: Tensor, read: Tensor, keys: Keys) -> Tensor:
        """The layer's output [N, d].

        Args:
            x: The layer's input [N, d], the residual.
            read: What attention read, [N, H, d/H].
            keys: An utterance whose context lacks the source modality altogether reads nothing.
        """
        attended: Tensor = self.attention.output(read.flatten(1))
        if not keys.complete:
            attended = attended * keys.has_context
        h = x + self.dropout(attended)
        output: Tensor = h + self.dropout(self.feed_forward(h))
        return output


class ModalEncoder(nn.Module):
    """The encoder of one ordered pair of modalities: queries from the target, keys and values from the source.

    Intra-modal where both are the same, else inter-modal.
    """

    def __init__(self, settings: Architecture, *, intra: bool) -> None:
        super().__init__()
        self.intra = intra
        self.dropout = Dropout(settings.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(settings, first=number == 0, intra=intra) for number in range(settings.layers)
        )

    def streams(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the first layer gets of X_m and X_n, [N, d]: two streams with separate dropout, or one and the same."""
        x: Tensor = self.dropout(target)
        return x, x if self.intra else self.dropout(source)
