"""Input helpers of the baselines; missing features are replaced by zeros.

Shapes: N utterances of the batch; D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.errors import InputError

MAX_EDGE_VALUES = 1 << 28
"""Maximum number of values stored for the edges of a batch: 1 GiB in float32, of which several copies exist."""


def features(batch: Batch, modality: str) -> Tensor:
    """The features of one modality, [N, D_m]; zeros where missing."""
    return batch.features[modality] * batch.present[modality][:, None]


def concatenated(batch: Batch, modalities: Iterable[str]) -> Tensor:
    """The concatenated features of the modalities, [N, sum of D_m]; zeros where missing."""
    return torch.cat([features(batch, name) for name in modalities], dim=1)


def conversation_of(batch: Batch) -> Tensor:
    """The index of each utterance's conversation in the batch, [N]."""
    numbers = torch.arange(len(batch.lengths), device=batch.lengths.device)
    return numbers.repeat_interleave(batch.lengths, output_size=len(batch))


def number_parties(batch: Batch) -> tuple[Tensor, int]:
    """Number the speakers of each conversation from 0.

    All speakers without a number (see `Speakers`) count as one party.

    Returns:
        The party of each utterance within its conversation [N], and the maximum number of parties of a conversation.
    """
    conversation = conversation_of(batch)
    stride = int(batch.speaker.max()) + 1
    pairs, number = (conversation * stride + batch.speaker).unique(return_inverse=True)  # sorted by conversation
    count = (pairs // stride).bincount(minlength=len(batch.lengths))  # [B] parties
    first = count.cumsum(0) - count  # [B]
    return number - first[conversation], int(count.max())


def check_settings(
    group: str, settings: object, *, at_least_one: Iterable[str] = (), shares: Iterable[str] = ("dropout",)
) -> None:
    """Validate the range of settings.

    Args:
        group: Recipe group of the settings.
        settings: A dataclass.
        at_least_one: Names of settings that must be at least 1.
        shares: Names of settings that must be in [0, 1).

    Raises:
        InputError: A setting is out of range; the message names it and its value.
    """
    for name in at_least_one:
        if getattr(settings, name) < 1:
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is less than 1")
    for name in shares:
        if not 0 <= getattr(settings, name) < 1:
            raise InputError(f"{group}.{name}: {getattr(settings, name)} is not in [0, 1)")


def check_edges(model: str, edges: int, batch: Batch, values: int = 1) -> None:
    """Check that the edges of a graph fit into memory; their number grows with the square of a conversation's length.

    Args:
        model: Display name of the model.
        edges: Number of edges, including those of padding.
        batch: The batch.
        values: Number of values stored per edge.

    Raises:
        InputError: The graph has too many edges.
    """
    limit = MAX_EDGE_VALUES // values
    if edges > limit:
        raise InputError(
            f"{model}: the graph of {len(batch.lengths)} conversations of up to {batch.longest:,} utterances has up to "
            f"{edges:,} edges, more than the limit of {limit:,}; predict in windows (--window), use fewer "
            "conversations per batch, or split long conversations"
        )
