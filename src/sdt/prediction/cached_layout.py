"""Attention of new utterances to what is kept of their conversations.

Shapes: N new utterances, packed conversation by conversation; c utterances that are kept of one conversation, m new
ones of it; K the sum of c + m over the conversations; M modalities; E encoders; H heads; d model width.
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
"""Rows of a buffer, at least."""


@dataclass(frozen=True)
class Rows:
    """The last rows of what grows at its end, in a buffer with room for as many again.

    What was kept stays as it is when more is put behind it, so that an attempt that fails changes nothing.
    """

    buffer: Tensor
    """[capacity, ...]."""
    first: int = 0
    end: int = 0

    @property
    def held(self) -> Tensor:
        """[c, ...], where they lie."""
        return self.buffer[self.first : self.end]

    def and_then(self, new: Tensor) -> Rows:
        """The same with m rows more; moved to another buffer where there is no room, or far too much."""
        size = self.end - self.first + len(new)
        rows = self
        if self.end + len(new) > len(self.buffer) or len(self.buffer) > 4 * max(size, LEAST):
            buffer = new.new_empty(2 * max(size, LEAST), *new.shape[1:])
            buffer[: len(self.held)] = self.held
            rows = Rows(buffer, 0, len(self.held))
        rows.buffer[rows.end : rows.end + len(new)] = new
        return replace(rows, end=rows.end + len(new))

    def last(self, count: int | None) -> Rows:
        """The last rows alone; None for all."""
        return self if count is None else replace(self, first=max(self.first, self.end - count))


@dataclass(frozen=True)
class Memory:
    """What is kept of a conversation."""

    present: Tensor
    """[c, M] bool."""
    layers: tuple[tuple[Rows, Rows], ...]
    """Of each layer the keys and the values, [c, E, H, d/H]."""


class CachedLayout:
    """A `Layout` in which new utterances read what is kept of their conversations, and each other.

    Its `Keys.present` are [K]: of each conversation what is kept, then what is new.

    Args:
        lengths: Of each conversation how many utterances are new.
        memories: Of each conversation what is kept; None of one that is new.
        window: How many utterances each reads at most, itself included; None for all.
        modalities: M.
        device: Where the model is.
    """

    encoders_together = 2**31 - 1
    """All in one call, so that every call is a layer."""

    def __init__(
        self,
        lengths: Sequence[int],
        memories: Sequence[Memory | None],
        window: int | None,
        modalities: int,
        device: torch.device,
    ) -> None:
        self._memories, self._window = memories, window
        nothing = torch.zeros(0, modalities, dtype=torch.bool, device=device)
        self._before = [nothing if memory is None else memory.present for memory in memories]
        self._present: list[Tensor] = []
        """Of each modality asked for, [K] bool."""
        self._layers: list[list[tuple[Rows, Rows]]] = []
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
        some = any_between(whole, self._first, self._row)
        return Keys(whole, some[:, None].float(), complete=bool(whole.all()))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float) -> Tensor:
        """See `Layout.attend`; of the next layer, and without dropout."""
        if dropout:
            raise ValueError("what is kept is of a model in evaluation mode")
        layer, found = len(self._layers), []
        self._layers.append([])
        complete = all(key.complete for key in keys)
        for memory, (a, b), (start, end) in zip(self._memories, self._new, self._all, strict=True):
            before = (Rows(k[:0]), Rows(v[:0])) if memory is None else memory.layers[layer]
            of_k, of_v = before[0].and_then(k[a:b]), before[1].and_then(v[a:b])
            self._layers[-1].append((of_k, of_v))
            kept = end - start - (b - a)
            readable = Readable(self._window, offset=kept)
            if not complete:
                present = torch.stack([key.present[start:end] for key in keys], dim=1)  # [c + m, E]
                some = torch.stack([key.some[a:b, 0] > 0 for key in keys], dim=1)  # [m, E]
                readable = replace(readable, present=present, some=some)
            parts = list(blocks(0, kept, end - start, self._window, q.shape[1]))
            found.append(read(q[a:b], of_k.held, of_v.held, parts, readable))
        return torch.cat(found)

    def memories(self) -> list[Memory]:
        """What is kept of each conversation, once the model has read."""
        count = None if self._window is None else self._window - 1
        present = torch.stack(self._present, dim=1)  # [K, M]
        found = []
        for index, (start, end) in enumerate(self._all):
            first = start if count is None else max(start, end - count)
            layers = tuple((k.last(count), v.last(count)) for k, v in (layer[index] for layer in self._layers))
            found.append(Memory(present[first:end].clone(), layers))
        return found
