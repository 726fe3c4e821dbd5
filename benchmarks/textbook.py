"""A straightforward implementation of SDT from the paper: the reference of the benchmarks.

Conversations are padded to the longest of the batch; the encoders of the ordered pairs of modalities run one after the
other; attention is written as matrix products; the loss selects the valid utterances; the optimizer is
`torch.optim.Adam` with its defaults. Nothing is tuned, and nothing is slow on purpose. The only change from the
published program is that a frozen identity gate is computed as G = sigmoid(H) * H, without a d x d product, which is
faster. It computes what the published program and `sdt.models` compute (tests/benchmarks/test_textbook.py).

Shapes: B conversations; T utterances of the longest; D_m features of modality m; d model width; h heads; C labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class PaddedBatch:
    """A batch of conversations, padded to the same length."""

    features: dict[str, Tensor]
    """Modality to [B, T, D_m]."""
    mask: Tensor
    """[B, T] bool; True for an utterance, False for padding."""
    speaker: Tensor
    """[B, T] int64; the number of speakers for padding."""
    label: Tensor
    """[B, T] int64."""

    def to(self, device: torch.device) -> PaddedBatch:
        """The same batch on a device."""
        features = {name: x.to(device) for name, x in self.features.items()}
        return PaddedBatch(features, self.mask.to(device), self.speaker.to(device), self.label.to(device))


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(d/h)) V in h heads, with dropout on the weights."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d, d)
        self.key = nn.Linear(d, d)
        self.value = nn.Linear(d, d)
        self.output = nn.Linear(d, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Queries and memory [B, T, d], mask [B, T]; returns [B, T, d]."""
        B, T, d = queries.shape
        q = self.query(queries).view(B, T, self.heads, d // self.heads).transpose(1, 2)  # [B, h, T, d/h]
        k = self.key(memory).view(B, T, self.heads, d // self.heads).transpose(1, 2)
        v = self.value(memory).view(B, T, self.heads, d // self.heads).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)  # [B, h, T, T]
        scores = scores.masked_fill(~mask[:, None, None, :], float("-inf"))
        weights = self.dropout(scores.softmax(dim=-1))
        read = (weights @ v).transpose(1, 2).reshape(B, T, d)
        output: Tensor = self.output(read)
        return output


class Encoder(nn.Module):
    """One intra- or inter-modal transformer encoder: queries from the target, keys and values from the source."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(d, heads, dropout)
        self.norm = nn.LayerNorm(d, eps=1e-6)
        self.expand = nn.Linear(d, d)
        self.contract = nn.Linear(d, d)
        self.gelu = nn.GELU(approximate="tanh")
        self.dropout = nn.Dropout(dropout)

    def forward(self, target: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """X_m and X_n [B, T, d], the same tensor in the intra-modal case; returns H_{n->m} [B, T, d]."""
        x = self.dropout(target)
        memory = x if source is target else self.dropout(source)
        h = self.dropout(self.attention(x, memory, mask)) + x
        inner = self.dropout(self.gelu(self.expand(self.norm(h))))
        output: Tensor = self.dropout(self.contract(inner)) + h
        return output


def sinusoids(length: int, d: int) -> Tensor:
    """Positions [length, d]: sine in even columns, cosine in odd ones."""
    position = torch.arange(length).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, d, 2) * -(math.log(10000.0) / d))
    table = torch.zeros(length, d)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table


class TextbookSDT(nn.Module):
    """The whole model.

    Args:
        widths: Modality to D_m.
        classes: Number of labels C.
        speakers: Number of speakers.
        d: Model width.
        heads: Number of attention heads.
        dropout: Dropout probability of all layers.
        learned_gates: Whether the unimodal gates are learned; otherwise they are the identity.
        longest: Maximum number of utterances of a conversation.
    """

    positions: Tensor

    def __init__(
        self,
        widths: Mapping[str, int],
        classes: int,
        speakers: int,
        d: int = 1024,
        heads: int = 8,
        dropout: float = 0.5,
        *,
        learned_gates: bool = True,
        longest: int = 512,
    ) -> None:
        super().__init__()
        self.names = list(widths)
        self.projections = nn.ModuleDict({name: nn.Linear(D, d, bias=False) for name, D in widths.items()})
        self.register_buffer("positions", sinusoids(longest, d), persistent=False)
        self.speakers = nn.Embedding(speakers + 1, d, padding_idx=speakers)
        pairs = [f"{source}_{target}" for target in self.names for source in self.names]
        self.encoders = nn.ModuleDict({pair: Encoder(d, heads, dropout) for pair in pairs})
        self.gates = nn.ModuleDict({pair: nn.Linear(d, d, bias=False) for pair in pairs} if learned_gates else {})
        self.reduce = nn.ModuleDict({name: nn.Linear(len(widths) * d, d) for name in self.names})
        self.last_gate = nn.Linear(d, d, bias=False)
        self.classifier = nn.Linear(d, classes)
        self.dropout = nn.Dropout(dropout)
        self.students = nn.ModuleDict({name: nn.Linear(d, classes) for name in self.names})

    def forward(self, batch: PaddedBatch) -> dict[str, Tensor]:
        """`"fused"` and each modality to logits [B, T, C]."""
        positions = self.positions[: batch.mask.shape[1]]
        speakers = self.speakers(batch.speaker)
        inputs = {name: self.projections[name](batch.features[name]) + positions + speakers for name in self.names}
        states = {}
        for target in self.names:
            gated = []
            for source in [target] + [name for name in self.names if name != target]:
                pair = f"{source}_{target}"
                h = self.encoders[pair](inputs[target], inputs[source], batch.mask)  # [B, T, d]
                gated.append(torch.sigmoid(self.gates[pair](h) if self.gates else h) * h)
            states[target] = self.reduce[target](torch.cat(gated, dim=-1))  # [B, T, d]
        stacked = torch.stack([states[name] for name in self.names], dim=-2)  # [B, T, M, d]
        weights = self.last_gate(stacked).softmax(dim=-2)
        logits = {"fused": self.classifier((weights * stacked).sum(dim=-2))}
        for name in self.names:
            logits[name] = self.students[name](self.dropout(torch.relu(states[name])))
        return logits


def loss_terms(
    logits: Mapping[str, Tensor], batch: PaddedBatch, temperature: float, class_weights: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the terms task, hard and soft of the self-distillation objective, over the valid utterances."""
    label = batch.label[batch.mask]
    valid = {name: x[batch.mask] for name, x in logits.items()}  # [N, C]
    task = F.cross_entropy(valid["fused"], label, class_weights)
    hard, soft = torch.zeros_like(task), torch.zeros_like(task)
    teacher = F.softmax(valid["fused"] / temperature, dim=-1)
    for name, student in valid.items():
        if name != "fused":
            hard = hard + F.cross_entropy(student, label, class_weights)
            soft = soft + F.kl_div(F.log_softmax(student / temperature, dim=-1), teacher, reduction="batchmean")
    return task, hard, soft


def total_loss(
    model: TextbookSDT,
    batch: PaddedBatch,
    temperature: float,
    class_weights: Tensor | None = None,
    autocast: torch.dtype | None = None,
) -> Tensor:
    """Return the loss of a batch. `autocast` is the precision of the matrix products; None for float32."""
    with torch.autocast(batch.mask.device.type, dtype=autocast, enabled=autocast is not None):
        logits = model(batch)
    terms = loss_terms({name: x.float() for name, x in logits.items()}, batch, temperature, class_weights)
    return torch.stack(terms).sum()


def train_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
    """Update the parameters and return the loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def predict(model: TextbookSDT, batch: PaddedBatch, autocast: torch.dtype | None = None) -> Tensor:
    """Return the probabilities of the valid utterances, [N, C], on the CPU."""
    with torch.autocast(batch.mask.device.type, dtype=autocast, enabled=autocast is not None):
        fused = model(batch)["fused"]
    return F.softmax(fused[batch.mask].float(), dim=-1).cpu()
