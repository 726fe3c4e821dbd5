"""Key-value cache: new utterances attend to the cached utterances of their conversations.

With a window of k utterances, the cache of a conversation holds at most k - 1 of them.

Shapes: N new utterances, packed by conversation; c cached and m new utterances of one conversation; K sum of c + m over
the conversations; M modalities; E encoders; H heads; d model width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdt.models.context import Context
from sdt.models.sdt.attention import Keys, attend_related, related_keys
from sdt.models.sdt.causal import KeyMask, any_between, attend_blocks, split_blocks
from sdt.models.sdt.relations import Places, Relations

MIN_ROWS = 16
"""Minimum number of rows of a buffer."""


@dataclass(frozen=True)
class RowBuffer:
    """Append-only rows in a buffer with spare capacity.

    Appending does not change the rows of earlier `RowBuffer`s, so a failed call leaves the cache unchanged.
    """

    buffer: Tensor
    """[capacity, ...]."""
    first: int = 0
    """Index of the first row in the buffer."""
    end: int = 0
    """Index after the last row in the buffer."""

    @property
    def rows(self) -> Tensor:
        """The rows [c, ...], a view of the buffer."""
        return self.buffer[self.first : self.end]

    def append(self, new: Tensor) -> RowBuffer:
        """Return these rows followed by new ones [m, ...]; allocates if the buffer is full or much too large."""
        size = self.end - self.first + len(new)
        target = self
        if self.end + len(new) > len(self.buffer) or len(self.buffer) > 4 * max(size, MIN_ROWS):
            buffer = new.new_empty(2 * max(size, MIN_ROWS), *new.shape[1:])
            buffer[: len(self.rows)] = self.rows
            target = RowBuffer(buffer, 0, len(self.rows))
        target.buffer[target.end : target.end + len(new)] = new
        return replace(target, end=target.end + len(new))

    def last(self, count: int | None) -> RowBuffer:
        """Return the last `count` rows; None for all."""
        return self if count is None else replace(self, first=max(self.first, self.end - count))


@dataclass(frozen=True)
class ConversationCache:
    """Cached keys and values of a conversation."""

    present: Tensor
    """[c, M] bool."""
    layers: tuple[tuple[RowBuffer, RowBuffer], ...]
    """Keys and values of each layer, [c, E, H, d/H]."""
    places: Places
    """The places of the utterances in the conversation, [c]."""


class CachedLayout:
    """A `Layout` in which new utterances attend to the cache of their conversation and to each other.

    `Keys.present` is [K]: for each conversation the cached utterances, then the new ones.

    Args:
        lengths: Number of new utterances of each conversation.
        caches: The cache of each conversation; None for a new conversation.
        context: A causal context.
        modalities: M.
        position: [N] int64; position of each new utterance in its conversation.
        participant: [N] int64; number of its speaker in the conversation.
        device: Device of the model.
    """

    max_encoders = 2**31 - 1
    """All encoders in one call, so each call of `attend` is one layer."""

    def __init__(
        self,
        lengths: Sequence[int],
        caches: Sequence[ConversationCache | None],
        context: Context,
        modalities: int,
        position: Tensor,
        participant: Tensor,
    ) -> None:
        device, window = position.device, context.window
        self._caches, self._context, self._window = caches, context, window
        empty = torch.zeros(0, modalities, dtype=torch.bool, device=device)
        self._before = [empty if cache is None else cache.present for cache in caches]
        self._present: list[Tensor] = []
        """[K] bool for each modality for which `keys` was called."""
        self._layers: list[list[tuple[RowBuffer, RowBuffer]]] = []
        """Keys and values, including the new ones, of each conversation in each layer."""
        sizes = [len(before) + m for before, m in zip(self._before, lengths, strict=True)]
        self._new = list(itertools.pairwise([0, *itertools.accumulate(lengths)]))
        self._all = list(itertools.pairwise([0, *itertools.accumulate(sizes)]))
        ends = list(zip(self._all, lengths, strict=True))
        self._row = torch.cat([torch.arange(b - m, b) for (_, b), m in ends]).to(device)  # [N]
        """Row of each query among the keys."""
        first = torch.cat([torch.full((m,), a) for (a, _), m in ends]).to(device)  # [N]
        self._first = first if window is None else torch.maximum(first, self._row - window + 1)
        """Row of the first key that each query attends to."""
        self._places = [
            _extend(None if cache is None else cache.places, position[a:b], participant[a:b])
            for cache, (a, b) in zip(caches, self._new, strict=True)
        ]
        """Places of the cached and new utterances of each conversation, [c + m]."""
        self._relations: list[Relations] = []
        """The relations of each conversation, if the context depends on them."""
        if context.related:
            for places, (a, b) in zip(self._places, self._new, strict=True):
                size = len(places.position)
                blocks = list(split_blocks(0, size - (b - a), size, window))
                self._relations.append(Relations(context, places, blocks, offset=size - (b - a)))

    def keys(self, present: Tensor) -> Keys:
        """Create the keys of the next modality; `present` is [N] bool."""
        column = len(self._present)
        parts = zip(self._before, self._new, strict=True)
        whole = torch.cat([part for before, (a, b) in parts for part in (before[:, column], present[a:b])])  # [K]
        self._present.append(whole)
        if self._context.related:
            head_context = torch.cat(
                [of.head_context(whole[start:end]) for of, (start, end) in zip(self._relations, self._all, strict=True)]
            )
            return replace(related_keys(whole, head_context), complete=bool(whole.all()))
        has_context = any_between(whole, self._first, self._row)
        return Keys(whole, has_context[:, None].float(), complete=bool(whole.all()))

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """Compute attention of the next layer; see `Layout.attend`. Dropout is not supported."""
        if dropout:
            raise ValueError("the cache requires a model in evaluation mode")
        layer, outputs = len(self._layers), []
        self._layers.append([])
        complete = all(key.complete for key in keys)
        for index, (cache, (a, b), (start, end)) in enumerate(zip(self._caches, self._new, self._all, strict=True)):
            before = (RowBuffer(k[:0]), RowBuffer(v[:0])) if cache is None else cache.layers[layer]
            all_k, all_v = before[0].append(k[a:b]), before[1].append(v[a:b])
            self._layers[-1].append((all_k, all_v))
            if self._relations:
                own = [
                    replace(key, present=key.present[start:end], head_context=_rows(key.head_context, a, b))
                    for key in keys
                ]
                relations = self._relations[index]
                outputs.append(attend_related(relations, q[a:b], all_k.rows, all_v.rows, own, bias=bias))
                continue
            cached = end - start - (b - a)
            mask = KeyMask(self._window, offset=cached)
            if not complete:
                present = torch.stack([key.present[start:end] for key in keys], dim=1)  # [c + m, E]
                has_context = torch.stack([key.has_context[a:b, 0] > 0 for key in keys], dim=1)  # [m, E]
                mask = replace(mask, present=present, has_context=has_context)
            blocks = list(split_blocks(0, cached, end - start, self._window, q.shape[1]))
            outputs.append(attend_blocks(q[a:b], all_k.rows, all_v.rows, blocks, mask))
        return torch.cat(outputs)

    def caches(self) -> list[ConversationCache]:
        """The updated cache of each conversation; call it after the forward pass."""
        count = None if self._window is None else self._window - 1
        present = torch.stack(self._present, dim=1)  # [K, M]
        caches = []
        for index, (start, end) in enumerate(self._all):
            first = start if count is None else max(start, end - count)
            layers = tuple((k.last(count), v.last(count)) for k, v in (layer[index] for layer in self._layers))
            places = self._places[index][first - start :]
            caches.append(ConversationCache(present[first:end].clone(), layers, places))
        return caches


def _extend(known: Places | None, position: Tensor, participant: Tensor) -> Places:
    """Append new utterances to the places of a conversation.

    Turns continue after the last cached one of the speaker: only differences of turns within the context matter.
    """
    new = Places(position, participant, torch.zeros_like(position))
    if known is not None:
        new = Places(*(torch.cat(pair) for pair in zip(known.columns(), new.columns(), strict=True)))
    turn = new.turn.tolist()
    last = dict(zip(new.participant.tolist(), turn[: len(turn) - len(position)], strict=False))
    for row, one in enumerate(participant.tolist(), len(turn) - len(position)):
        last[one] = turn[row] = last.get(one, -1) + 1
    return replace(new, turn=torch.tensor(turn, device=position.device))


def _rows(x: Tensor | None, a: int, b: int) -> Tensor | None:
    return None if x is None else x[a:b]
