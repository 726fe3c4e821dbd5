"""Which conversations share a batch: so many of them, or those of like length up to so many utterances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import torch

Integers = npt.NDArray[np.int64]


class Batches(Sequence[list[int]]):
    """For each batch the indices of its conversations; kept are eight bytes of each conversation and of each batch.

    Args:
        order: The conversations, batch after batch.
        bounds: Where the batches begin and the last one ends.
        turn: The order of the batches.
    """

    def __init__(self, order: Integers, bounds: Integers, turn: Integers) -> None:
        self._order, self._bounds, self._turn = order, bounds, turn

    def __len__(self) -> int:
        return len(self._turn)

    def __iter__(self) -> Iterator[list[int]]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Batches: ...
    def __getitem__(self, index: int | slice) -> list[int] | Batches:
        if isinstance(index, slice):
            return Batches(self._order, self._bounds, self._turn[index])
        batch = self._turn[index]
        found: list[int] = self._order[self._bounds[batch] : self._bounds[batch + 1]].tolist()
        return found

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same batches."""
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list


def batch_order(
    lengths: Sequence[int] | Integers, size: int, utterances: int | None, generator: torch.Generator | None
) -> Batches:
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
        bounds = np.append(np.arange(0, len(order), size), len(order))
        return Batches(order, bounds, np.arange(len(bounds) - 1))
    order = order[np.argsort(np.asarray(lengths)[order], kind="stable")]  # those of one length stay shuffled
    begins, room = list[int](), 0
    for place, length in enumerate(np.asarray(lengths)[order].tolist()):
        if length > room or not begins:
            begins.append(place)
            room = utterances
        room -= length
    return Batches(order, np.array([*begins, len(order)], dtype=np.int64), _shuffled(len(begins), generator))


def _shuffled(count: int, generator: torch.Generator | None) -> Integers:
    if generator is None:
        return np.arange(count)
    order: Integers = torch.randperm(count, generator=generator).numpy()
    return order
