"""Inputs of the baselines. Missing features are zero, whatever the batch holds there.

Shapes: N utterances of the batch; D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.errors import InputError

EDGE_NUMBERS = 1 << 28
"""Numbers of a batch's edges, at most; 1 GiB, several times."""


def features(batch: Batch, modality: str) -> Tensor:
    """The features of one modality, [N, D_m]; zero if missing."""
    return batch.features[modality] * batch.present[modality][:, None]


def concatenated(batch: Batch, modalities: Iterable[str]) -> Tensor:
    """The features of all modalities side by side, [N, sum of D_m]."""
    return torch.cat([features(batch, name) for name in modalities], dim=1)


def conversation_of(batch: Batch) -> Tensor:
    """The number of each utterance's conversation in the batch, [N]."""
    numbers = torch.arange(len(batch.lengths), device=batch.lengths.device)
    return numbers.repeat_interleave(batch.lengths, output_size=len(batch))


def parties(batch: Batch) -> tuple[Tensor, int]:
    """Who speaks, numbered from 0 within each conversation, [N]; and how many parties a conversation has at most.

    The numbers say which utterances are of one speaker, nothing about who that is. Speakers without a number (see
    `Speakers`) are one party.
    """
    conversation = conversation_of(batch)
    stride = int(batch.speaker.max()) + 1
    known, number = (conversation * stride + batch.speaker).unique(return_inverse=True)  # sorted by conversation
    of_conversation = (known // stride).bincount(minlength=len(batch.lengths))  # [B] parties
    first = of_conversation.cumsum(0) - of_conversation  # [B]
    return number - first[conversation], int(of_conversation.max())


def check_settings(
    group: str, settings: object, *, at_least_one: Iterable[str] = (), shares: Iterable[str] = ("dropout",)
) -> None:
    """Refuse numbers that cannot be.

    Args:
        group: What recipes call the settings.
        settings: A dataclass.
        at_least_one: Names of settings that are 1 or more.
        shares: Names of settings in [0, 1).

    Raises:
        InputError: Names the setting and its value.
    """
    for name in at_least_one:
        if getattr(settings, name) < 1:
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is less than 1")
    for name in shares:
        if not 0 <= getattr(settings, name) < 1:
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is not in [0, 1)")


def check_edges(model: str, edges: int, batch: Batch, numbers: int = 1) -> None:
    """Refuse a graph that grows with the square of a conversation beyond what can be held.

    Args:
        model: What the model is called in sentences.
        edges: How many there are at most, those to utterances that only fill up a conversation among them.
        batch: Which conversations they are of.
        numbers: What is held of each edge.

    Raises:
        InputError: There are too many; says what can be done.
    """
    most = EDGE_NUMBERS // numbers
    if edges > most:
        raise InputError(
            f"{model}: the graph of {len(batch.lengths)} conversations of up to {batch.longest:,} utterances has up to "
            f"{edges:,} edges, and at most {most:,} can be held; predict in windows (--window), put fewer "
            "conversations into a batch, or cut long conversations into parts"
        )
