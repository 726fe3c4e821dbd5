"""Small models and random batches for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sdt.batch import Batch, pack
from sdt.conversation import Conversation, Utterance
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers

WIDTHS = {"text": 6, "audio": 5, "visual": 4}
LABELS = ("calm", "cross", "cheerful")
SPEAKERS = Speakers("appearance", 3)


def small_model(
    widths: Mapping[str, int] = WIDTHS, settings: Architecture | None = None, seed: int = 0, **options: Any
) -> SDT:
    """A model in evaluation mode; `options` are settings of the architecture."""
    torch.manual_seed(seed)
    architecture = settings or Architecture(**{"width": 16, "heads": 2, "dropout": 0.1, **options})
    return SDT(SDTConfig(widths, LABELS, SPEAKERS, architecture)).eval()


def conversation(name: str, length: int, speakers: int = 2) -> Conversation:
    """A conversation whose labels go round."""
    return Conversation(
        name,
        tuple(
            Utterance(str(i), f"speaker{i % speakers}", f"{name} says {i}", LABELS[(i * i) % 3]) for i in range(length)
        ),
    )


def random_batch(
    lengths: Sequence[int], widths: Mapping[str, int] = WIDTHS, *, missing: float = 0.0, seed: int = 0
) -> Batch:
    """Conversations `c0`, `c1`, ... whose content depends on their number and the seed alone, not on the others."""
    parts: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {name: [] for name in widths}
    for number, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        for name, width in widths.items():
            present = torch.rand(length, generator=generator) >= missing
            parts[name].append((torch.randn(length, width, generator=generator) * present[:, None], present))
    features = {
        name: (torch.cat([x for x, _ in rows]), torch.cat([present for _, present in rows]))
        for name, rows in parts.items()
    }
    return pack([conversation(f"c{n}", length) for n, length in enumerate(lengths)], features, LABELS, SPEAKERS)


def select(batch: Batch, order: Sequence[int]) -> Batch:
    """The batch of some of a batch's conversations, in another order."""
    starts = [0, *batch.lengths.cumsum(0).tolist()]
    rows = torch.cat([torch.arange(starts[i], starts[i + 1]) for i in order])
    lengths = batch.lengths[list(order)]
    return Batch(
        features={name: x[rows] for name, x in batch.features.items()},
        present={name: x[rows] for name, x in batch.present.items()},
        position=batch.position[rows],
        speaker=batch.speaker[rows],
        label=batch.label[rows],
        lengths=lengths,
        longest=int(lengths.max()),
        conversations=tuple(batch.conversations[i] for i in order),
    )
