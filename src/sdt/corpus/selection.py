"""Selections of conversations of a corpus, with their lengths, labels and ids from the index.

The functions of this module accept any sequence of conversations; for a `Selection` they read the index only, so that
the conversations of a large corpus stay on disk.

Shapes: N utterances, K conversations, C labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, overload, runtime_checkable

import numpy as np
import numpy.typing as npt

from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.conversations import Conversations
from sdt.corpus.index import Integers


@runtime_checkable
class HasLengths(Protocol):
    """A sequence of conversations that knows their lengths."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """[K] the number of utterances of each conversation."""
        ...


@runtime_checkable
class HasIds(Protocol):
    """A sequence of conversations that knows their ids."""

    @property
    def ids(self) -> Sequence[str]:
        """[K] the id of each conversation."""
        ...


def conversation_lengths(conversations: Sequence[Conversation]) -> npt.NDArray[np.int64]:
    """[K] the number of utterances of each conversation."""
    if isinstance(conversations, HasLengths):
        return conversations.lengths
    return np.array([len(conversation) for conversation in conversations], dtype=np.int64)


UtteranceKey = tuple[str, str]
"""(conversation id, utterance id)."""
_BLOCK = 4096
"""Conversations in a block of rows."""


class Selection(Sequence[Conversation]):
    """Conversations of a corpus in a given order, by their numbers.

    Args:
        source: All conversations of the corpus.
        numbers: [K] the numbers of the selected conversations.
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
        """The two selections concatenated."""
        return Selection(self.source, np.concatenate([self.numbers, other.numbers]))

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds equal conversations."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # like a list

    @property
    def lengths(self) -> Integers:
        """[K] the number of utterances of each conversation."""
        row = self.source.index.row
        lengths: Integers = row[self.numbers + 1] - row[self.numbers]
        return lengths

    @property
    def label_counts(self) -> Integers:
        """[1 + C] the number of utterances without a label, then with each label."""
        index, counts = self.source.index, np.zeros(1 + len(self.source.labels), dtype=np.int64)
        for rows in self.blocks():
            label = index.labels(rows, len(self.source.labels))
            counts += np.bincount(label - UNLABELLED, minlength=len(counts))
        return counts

    def blocks(self) -> Iterator[Integers]:
        """The feature rows, a few thousand conversations at a time."""
        for first in range(0, len(self), _BLOCK):
            yield self.source.index.rows_of(self.numbers[first : first + _BLOCK])


class Ids(Sequence[str]):
    """The ids of the conversations of a selection."""

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


class UtteranceKeys(Sequence[UtteranceKey]):
    """(conversation id, utterance id) of every utterance of a selection."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._end = np.cumsum(selection.lengths)  # [K]

    def __len__(self) -> int:
        return int(self._end[-1]) if len(self._end) else 0

    def __iter__(self) -> Iterator[UtteranceKey]:
        return ((conversation.id, u.id) for conversation in self._selection for u in conversation.utterances)

    @overload
    def __getitem__(self, index: int) -> UtteranceKey: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[UtteranceKey, ...]: ...
    def __getitem__(self, index: int | slice) -> UtteranceKey | tuple[UtteranceKey, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = range(len(self))[index]  # raises IndexError out of range
        number = int(np.searchsorted(self._end, row, side="right"))
        conversation = self._selection[number]
        return conversation.id, conversation.utterances[row - int(self._end[number])].id

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same keys."""
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list


def utterance_keys(conversations: Sequence[Conversation]) -> Sequence[UtteranceKey]:
    """(conversation id, utterance id) of every utterance, in order."""
    if isinstance(conversations, Selection):
        return UtteranceKeys(conversations)
    return tuple((c.id, utterance.id) for c in conversations for utterance in c.utterances)


def label_counts(conversations: Sequence[Conversation], labels: Sequence[str]) -> Integers:
    """Count the utterances with each label.

    Args:
        conversations: The conversations.
        labels: The C label names; other labels are not counted.

    Returns:
        [C] the counts.
    """
    if isinstance(conversations, Selection) and conversations.source.labels == tuple(labels):
        return conversations.label_counts[1:]
    number = {label: index for index, label in enumerate(labels)}
    found = [number[u.label] for c in conversations for u in c.utterances if u.label in number]
    return np.bincount(np.array(found, dtype=np.int64), minlength=len(labels))


def has_labels(conversations: Sequence[Conversation]) -> bool:
    """Whether any utterance has a label."""
    if isinstance(conversations, Selection):
        return bool(conversations.label_counts[1:].any())
    return any(utterance.label is not None for c in conversations for utterance in c.utterances)


def select(conversations: Sequence[Conversation], indices: Iterable[int]) -> Sequence[Conversation]:
    """The conversations at these indices, in this order."""
    if isinstance(conversations, Selection):
        return Selection(conversations.source, conversations.numbers[np.fromiter(indices, dtype=np.int64)])
    return [conversations[index] for index in indices]
