"""The conversations of a corpus on disk: read when they are asked for, and only a few of them kept."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.corpus.index import Index, label_numbers
from sdt.corpus.utterance_lines import utterance_of
from sdt.errors import InputError, described, quoted

KEPT = 1 << 14
"""Utterances of the conversations that stay in memory after they were read, about: MELD as a whole."""


class Conversations(Mapping[str, Conversation]):
    """Conversation id to conversation, in the order of the feature rows.

    Args:
        path: utterances.jsonl.
        index: Where they lie in it.
        labels: The corpus' label names.
    """

    def __init__(self, path: Path, index: Index, labels: Sequence[str]) -> None:
        self.path, self.index, self.labels = path, index, tuple(labels)
        self._number = label_numbers(labels)
        self._find = lru_cache(maxsize=KEPT)(index.find)
        self._kept: OrderedDict[int, Conversation] = OrderedDict()
        self._size = 0  # utterances in _kept

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[str]:
        return map(self.index.id, range(len(self)))

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self._find(id) is not None

    def __getitem__(self, id: str) -> Conversation:
        return self.at(self.number(id))

    def values(self) -> ValuesView[Conversation]:
        """The conversations, read one after another."""
        return _Values(self)

    def items(self) -> ItemsView[str, Conversation]:
        """Likewise, with their ids."""
        return _Items(self)

    def number(self, id: str) -> int:
        """The place of a conversation in the order.

        Raises:
            KeyError: There is none of this id.
        """
        number = self._find(id)
        if number is None:
            raise KeyError(id)
        return number

    def at(self, number: int) -> Conversation:
        """The conversation with a number."""
        if (found := self._kept.get(number)) is not None:
            self._kept.move_to_end(number)
            return found
        found = self.read(number)
        self._kept[number] = found
        self._size += len(found)
        while self._size > KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])
        return found

    def read(self, number: int) -> Conversation:
        """Read a conversation, whether it is kept or not.

        Raises:
            InputError: Its lines are damaged, or not those that the index describes.
        """
        index, id = self.index, self.index.id(number)
        first = int(index.row[number])
        text = self._text[index.byte[number] : index.byte[number + 1]].tobytes()
        utterances: list[Utterance] = []
        for line, of_line in enumerate(io.BytesIO(text), start=first + 1):
            conversation, utterance = utterance_of(self.path, line, of_line, self.labels)
            if conversation != id:
                raise self.does_not_fit(line, f"conversation {quoted(conversation)} instead of {quoted(id)}")
            utterances.append(utterance)
        rows = index.rows(number)
        if len(utterances) != rows.stop - rows.start or not text.endswith(b"\n"):
            raise self.does_not_fit(first + 1, f"{len(utterances)} utterances of {quoted(id)}")
        if [self._number[utterance.label] for utterance in utterances] != index.label[rows].tolist():
            raise self.does_not_fit(first + 1, f"other labels in {quoted(id)}")
        return Conversation(id, tuple(utterances))

    @cached_property
    def _text(self) -> npt.NDArray[np.uint8]:
        try:
            return np.asarray(np.memmap(self.path, dtype=np.uint8, mode="r"))
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise InputError(f"{self.path}: cannot be read ({described(error)}); import the corpus again") from None

    def does_not_fit(self, line: int, found: str) -> InputError:
        """What to raise where a line says something else than the index."""
        return InputError(
            f"{self.path}, line {line}: {found}, which is not what {self.index.path.name} says; import the corpus again"
        )


class _Values(ValuesView[Conversation]):
    def __init__(self, conversations: Conversations) -> None:
        super().__init__(conversations)
        self._all = conversations

    def __iter__(self) -> Iterator[Conversation]:
        return map(self._all.at, range(len(self._all)))


class _Items(ItemsView[str, Conversation]):
    def __init__(self, conversations: Conversations) -> None:
        super().__init__(conversations)
        self._all = conversations

    def __iter__(self) -> Iterator[tuple[str, Conversation]]:
        return ((conversation.id, conversation) for conversation in self._all.values())
