"""Which conversations share a batch: so many of them, or those of like length up to so many utterances."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def batch_order(
    lengths: Sequence[int], size: int, utterances: int | None, generator: torch.Generator | None
) -> list[list[int]]:
    """Divide conversations into batches.

    Args:
        lengths: The utterances of each conversation.
        size: Conversations of a batch, where `utterances` is None: as published.
        utterances: The most utterances of a batch. Its conversations are then of like length, so that a device that
            pads wastes little, and batches are of like size. A longer conversation is a batch of its own.
        generator: Shuffles the conversations or, with `utterances`, those of one length among each other and the
            batches; None for the order as it is, or by length.

    Returns:
        For each batch the indices of its conversations. How many batches there are does not depend on the generator.
    """
    order = _shuffled(len(lengths), generator)
    if utterances is None:
        return [order[first : first + size] for first in range(0, len(order), size)]
    batches: list[list[int]] = []
    room = 0
    for index in sorted(order, key=lambda index: lengths[index]):  # stable: those of one length stay shuffled
        if lengths[index] > room or not batches:
            batches.append([])
            room = utterances
        batches[-1].append(index)
        room -= lengths[index]
    return [batches[number] for number in _shuffled(len(batches), generator)]


def _shuffled(count: int, generator: torch.Generator | None) -> list[int]:
    if generator is None:
        return list(range(count))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
