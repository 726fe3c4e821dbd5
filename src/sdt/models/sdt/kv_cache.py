"""A cache of keys and values: attention of new utterances to the earlier utterances of their conversations.

In a window of k utterances the cache of a conversation holds at most k - 1 of them, however long it is.

Shapes: N new utterances, packed conversation by conversation; c cached utterances of one conversation, m new ones; K
the sum of c + m over the conversations; M modalities; E encoders; H heads; d model width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdt.models.sdt.attention import Keys
from sdt.models.sdt.causal import Readable, any_between, blocks, read

LEAST = 16
"""RowBuffer of a buffer, at least."""


@dataclass(frozen=True)
class RowBuffer:
    """The last rows of a growing tensor, in a buffer with room for as many rows again.

    Appending does not change the rows of earlier `RowBuffer`s, so that a failed call leaves the cache as it was.
    """

    buffer: Tensor
    """[capacity, ...]."""
    first: int = 0
    end: int = 0

    @property
    def held(self) -> Tensor:
        """[c, ...], a view of the buffer."""
        return self.buffer[self.first : self.end]

    def append(self, new: Tensor) -> RowBuffer:
        """These rows and m more; copied to another buffer if this one is full, or much too large."""
        size = self.end - self.first + len(new)
        rows = self
        if self.end + len(new) > len(self.buffer) or len(self.buffer) > 4 * max(size, LEAST):
            buffer = new.new_empty(2 * max(size, LEAST), *new.shape[1:])
            buffer[: len(self.held)] = self.held
            rows = RowBuffer(buffer, 0, len(self.held))
        rows.buffer[rows.end : rows.end + len(new)] = new
        return replace(rows, end=rows.end + len(new))

    def last(self, count: int | None) -> RowBuffer:
        """The last rows alone; None for all."""
        return self if count is None else replace(self, first=max(self.first, self.end - count))


@dataclass(frozen=True)
class ConversationCache:
    """The cache of a conversation."""

    present: Tensor
    """[c, M] bool."""
    layers: tuple[tuple[RowBuffer, RowBuffer], ...]
    """Keys and values of each layer, [c, E, H, d/H]."""


class CachedLayout:
    """A `Layout` in which new utterances attend to the cache of their conversation and to each other.

    `Keys.present` is [K]: of each conversation the cached utterances, then the new ones.

    Args:
        lengths: Number of new utterances of each conversation.
        caches: The cache of each conversation; None for a new conversation.
        window: Number of utterances that an utterance attends to, itself included; None for all.
        modalities: M.
        device: Where the model is.
    """

    encoders_together = 2**31 - 1
    """All encoders in one call, so that every call is one layer."""

    def __init__(
        self,
        lengths: Sequence[int],
        caches: Sequence[ConversationCache | None],
        window: int | None,
        modalities: int,
        device: torch.device,
    ) -> None:
        self._caches, self._window = caches, window
        nothing = torch.zeros(0, modalities, dtype=torch.bool, device=device)
        self._before = [nothing if cache is None else cache.present for cache in caches]
        self._present: list[Tensor] = []
        """Of each modality asked for, [K] bool."""
        self._layers: list[list[tuple[RowBuffer, RowBuffer]]] = []
        """Of each layer and conversation keys and values, with the new ones."""
        sizes = [len(before) + m for before, m in zip(self._before, lengths, strict=True)]
        self._new = list(itertools.pairwise([0, *itertools.accumulate(lengths)]))
        self._all = list(itertools.pairwise([0, *itertools.accumulate(sizes)]))
        ends = list(zip(self._all, lengths, strict=True))
        self._row = torch.cat([torch.arange(b - m, b) for (_, b), m in ends]).to(device)  # [N]
        """Of each query, its row among the keys."""
        first = torch.cat([torch.full((m,), a) for (a, _), m in ends]).to(device)  # [N]
        self._first = first if window is None else torch.maximum(first, self._row - window + 1)
        """Of each query, the first key that it may read."""

    def keys(self, present: Tensor) -> Keys:
        """The keys of the next modality; `present` is [N] bool."""
        column = len(self._present)
        parts = zip(self._before, self._new, strict=True)
        whole = torch.cat([part for before, (a, b) in parts for part in (before[:, column], present[a:b])])  # [K]
        self._present.append(whole)
        has_context = any_between(whole, self._first, self._row)
        return Keys(whole, has_context[:, None].float(), complete=bool(whole.all()))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`; of the next layer, and without dropout."""
        if dropout:
            raise ValueError("the cache needs a model in evaluation mode")
        layer, found = len(self._layers), []
        self._layers.append([])
        complete = all(key.complete for key in keys)
        for cache, (a, b), (start, end) in zip(self._caches, self._new, self._all, strict=True):
            before = (RowBuffer(k[:0]), RowBuffer(v[:0])) if cache is None else cache.layers[layer]
            of_k, of_v = before[0].append(k[a:b]), before[1].append(v[a:b])
            self._layers[-1].append((of_k, of_v))
            kept = end - start - (b - a)
            readable = Readable(self._window, offset=kept)
            if not complete:
                present = torch.stack([key.present[start:end] for key in keys], dim=1)  # [c + m, E]
                has_context = torch.stack([key.has_context[a:b, 0] > 0 for key in keys], dim=1)  # [m, E]
                readable = replace(readable, present=present, has_context=has_context)
            parts = list(blocks(0, kept, end - start, self._window, q.shape[1]))
            found.append(read(q[a:b], of_k.held, of_v.held, parts, readable))
        return torch.cat(found)

    def caches(self) -> list[ConversationCache]:
        """The new cache of each conversation, after the forward pass."""
        count = None if self._window is None else self._window - 1
        present = torch.stack(self._present, dim=1)  # [K, M]
        found = []
        for index, (start, end) in enumerate(self._all):
            first = start if count is None else max(start, end - count)
            layers = tuple((k.last(count), v.last(count)) for k, v in (layer[index] for layer in self._layers))
            found.append(ConversationCache(present[first:end].clone(), layers))
        return found
