"""Some conversations of a corpus by their numbers, and what a computation needs of very many of them.

Lengths, labels and ids come from the index, as arrays. The functions at the end take any conversations and read the
index where they can.

Shapes: N utterances, K conversations, C labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.conversations import Conversations
from sdt.corpus.index import Integers

Place = tuple[str, str]
"""(conversation id, utterance id)."""
_TOGETHER = 4096
"""Conversations whose utterances are looked at together."""


class Selection(Sequence[Conversation]):
    """Some conversations of a corpus in some order, by their numbers.

    Args:
        source: All conversations of the corpus.
        numbers: Whichever.
    """

    def __init__(self, source: Conversations, numbers: Integers) -> None:
        self.source, self.numbers = source, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Conversation]:
        return (self.source.at(int(number)) for number in self.numbers)

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> Selection: ...
    def __getitem__(self, index: int | slice) -> Conversation | Selection:
        if isinstance(index, slice):
            return Selection(self.source, self.numbers[index])
        return self.source.at(int(self.numbers[index]))

    def __add__(self, other: Selection) -> Selection:
        """These and then the others."""
        return Selection(self.source, np.concatenate([self.numbers, other.numbers]))

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds equal conversations."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # like a list

    @property
    def lengths(self) -> Integers:
        """[K] the utterances of each."""
        row = self.source.index.row
        lengths: Integers = row[self.numbers + 1] - row[self.numbers]
        return lengths

    @property
    def label_counts(self) -> Integers:
        """[1 + C] the utterances without a label, and those of each."""
        index, counts = self.source.index, np.zeros(1 + len(self.source.labels), dtype=np.int64)
        for rows in self.blocks():
            label = index.labels(rows, len(self.source.labels))
            counts += np.bincount(label - UNLABELLED, minlength=len(counts))
        return counts

    def blocks(self) -> Iterator[Integers]:
        """The rows of all of them, some thousand conversations at a time."""
        for first in range(0, len(self), _TOGETHER):
            yield self.source.index.rows_of(self.numbers[first : first + _TOGETHER])


class Ids(Sequence[str]):
    """The ids of some conversations of a corpus."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def __len__(self) -> int:
        return len(self._selection)

    def __iter__(self) -> Iterator[str]:
        return (self._selection.source.index.id(int(number)) for number in self._selection.numbers)

    def __contains__(self, id: object) -> bool:
        source = self._selection.source
        return id in source and bool((self._selection.numbers == source.number(str(id))).any())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Ids: ...
    def __getitem__(self, index: int | slice) -> str | Ids:
        if isinstance(index, slice):
            return Ids(self._selection[index])
        return self._selection.source.index.id(int(self._selection.numbers[index]))

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same ids."""
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list


class Places(Sequence[Place]):
    """(conversation id, utterance id) of every utterance of some conversations."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._end = np.cumsum(selection.lengths)  # [K]

    def __len__(self) -> int:
        return int(self._end[-1]) if len(self._end) else 0

    def __iter__(self) -> Iterator[Place]:
        return ((conversation.id, u.id) for conversation in self._selection for u in conversation.utterances)

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Place, ...]: ...
    def __getitem__(self, index: int | slice) -> Place | tuple[Place, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = range(len(self))[index]  # refuses what is outside
        place = int(np.searchsorted(self._end, row, side="right"))
        conversation = self._selection[place]
        return conversation.id, conversation.utterances[row - int(self._end[place])].id

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same places."""
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list


def places_of(conversations: Sequence[Conversation]) -> Sequence[Place]:
    """The ids of every utterance."""
    if isinstance(conversations, Selection):
        return Places(conversations)
    return tuple((c.id, utterance.id) for c in conversations for utterance in c.utterances)


def label_counts(conversations: Sequence[Conversation], labels: Sequence[str]) -> Integers:
    """[C] the utterances that have each label.

    Args:
        conversations: Whichever; a label that is not among `labels` is not counted.
        labels: The label names; where the conversations are a corpus', its own.
    """
    if isinstance(conversations, Selection) and conversations.source.labels == tuple(labels):
        return conversations.label_counts[1:]
    number = {label: index for index, label in enumerate(labels)}
    found = [number[u.label] for c in conversations for u in c.utterances if u.label in number]
    return np.bincount(np.array(found, dtype=np.int64), minlength=len(labels))


def labelled(conversations: Sequence[Conversation]) -> bool:
    """Whether any utterance is annotated."""
    if isinstance(conversations, Selection):
        return bool(conversations.label_counts[1:].any())
    return any(utterance.label is not None for c in conversations for utterance in c.utterances)


def chosen(conversations: Sequence[Conversation], indices: Iterable[int]) -> Sequence[Conversation]:
    """Those at some places, in this order."""
    if isinstance(conversations, Selection):
        return Selection(conversations.source, conversations.numbers[np.fromiter(indices, dtype=np.int64)])
    return [conversations[index] for index in indices]
