"""Where everything of a corpus lies, and what training has to know of every utterance, as arrays of numbers.

    byte    [K+1] int64  where each conversation begins in utterances.jsonl; the last is the file's size
    row     [K+1] int64  the first row of each conversation in the feature matrices; the last is N
    id_byte [K+1] int64  where each conversation's id begins in `ids`; the last is its size
    ids     [bytes] uint8  the ids of the conversations end to end, UTF-8
    by_id   [K] int64    the numbers of the conversations in the order of their ids (of the bytes)
    label   [N] int32    the number of each utterance's label, -1 where there is none
    speaker [N] int32    the number of each utterance's speaker, see `Speakers.numbers`
    split.X [..] int64   the numbers of the conversations of split X, in its order

Of a corpus on disk they are mapped from `index.safetensors`: opening reads those of K conversations, once and in
passing, to see that they make sense; what an utterance has is read when it is asked for.

Shapes: N utterances, K conversations, C labels.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.conversation import UNLABELLED
from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError, described, listed, quoted
from sdt.splits import SPLITS

FILE = "index.safetensors"
Integers = npt.NDArray[np.int64]
_TYPES = {
    **dict.fromkeys(("byte", "row", "id_byte", "by_id"), np.int64),
    "ids": np.uint8,
    **dict.fromkeys(("label", "speaker"), np.int32),
}


def label_numbers(labels: Sequence[str]) -> dict[str | None, int]:
    """Label name to its number; None to `UNLABELLED`."""
    return {None: UNLABELLED, **{label: number for number, label in enumerate(labels)}}


@dataclass(frozen=True, eq=False)
class Index:
    """The arrays; see above."""

    path: Path
    """Of the file, for messages."""
    byte: Integers
    row: Integers
    id_byte: Integers
    ids: npt.NDArray[np.uint8]
    by_id: Integers
    label: npt.NDArray[np.int32]
    speaker: npt.NDArray[np.int32]
    splits: dict[str, Integers]

    @classmethod
    def open(cls, path: Path) -> Index:
        """Map an index.

        Raises:
            InputError: It is missing or damaged, or its arrays do not fit each other.
        """
        if not path.is_file():
            raise InputError(f"{path}: missing; import the corpus again")
        try:
            tensors = map_tensors(path)
        except InputError as error:
            raise InputError(f"{error}; import the corpus again") from None
        splits = {name: tensors.pop(f"split.{name}") for name in SPLITS if f"split.{name}" in tensors}
        if set(tensors) != set(_TYPES):
            raise _damaged(path, f"it holds {listed(sorted(tensors))}")
        for name, array in {**tensors, **splits}.items():
            if array.dtype != _TYPES.get(name, np.int64) or array.ndim != 1:
                raise _damaged(path, f"{name!r} is of type {array.dtype} and shape {array.shape}")
        index = cls(path, splits=splits, **tensors)
        index.check_conversations()
        return index

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """By the names that they have in the file."""
        return {
            **{name: getattr(self, name) for name in _TYPES},
            **{f"split.{name}": numbers for name, numbers in self.splits.items()},
        }

    def __len__(self) -> int:
        """K."""
        return len(self.row) - 1

    @property
    def size(self) -> int:
        """N."""
        return len(self.label)

    def id(self, number: int) -> str:
        """The id of a conversation."""
        try:
            return self._id(number).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _damaged(self.path, f"the id of conversation {number}: {described(error)}") from None

    def _id(self, number: int) -> bytes:
        return self.ids[self.id_byte[number] : self.id_byte[number + 1]].tobytes()

    def find(self, id: str) -> int | None:
        """The number of a conversation; None where there is none of this id."""
        wanted = id.encode("utf-8", "surrogatepass")
        place = bisect.bisect_left(range(len(self)), wanted, key=lambda n: self._id(int(self.by_id[n])))
        if place == len(self) or self._id(int(self.by_id[place])) != wanted:
            return None
        return int(self.by_id[place])

    def rows(self, number: int) -> slice:
        """The rows of a conversation."""
        return slice(int(self.row[number]), int(self.row[number + 1]))

    def rows_of(self, numbers: Integers) -> Integers:
        """The rows of several conversations, end to end."""
        first = self.row[numbers]
        lengths = self.row[numbers + 1] - first
        gap = first - (np.cumsum(lengths) - lengths)  # how far each conversation's rows lie from their place in the end
        return np.repeat(gap, lengths) + np.arange(int(lengths.sum()))

    def labels(self, rows: slice | Integers, count: int) -> npt.NDArray[np.int32]:
        """The label numbers of some rows, all of them below `count`.

        Raises:
            InputError: One is not.
        """
        label = self.label[rows]
        if len(label) and not UNLABELLED <= label.min() <= label.max() < count:
            raise _damaged(self.path, f"a number in 'label' is outside of {UNLABELLED} to {count - 1}")
        return label

    def place(self, row: int) -> int:
        """The number of the conversation that a row belongs to."""
        return int(np.searchsorted(self.row, row, side="right")) - 1

    def check_conversations(self) -> None:
        """Whether what stands there of every conversation can be so; K numbers of each array are read.

        Raises:
            InputError: Says which array cannot.
        """
        K = len(self.by_id)
        if K == 0:
            raise _damaged(self.path, "it has no conversations")
        for name, last in (("byte", None), ("row", len(self.label)), ("id_byte", len(self.ids))):
            array: Integers = getattr(self, name)
            if len(array) != K + 1 or array[0] != 0 or (np.diff(array) < (name != "id_byte")).any():
                raise _damaged(self.path, f"{name!r} does not rise from 0 over {K} conversations")
            if last is not None and array[-1] != last:
                raise _damaged(self.path, f"{name!r} ends at {array[-1]} instead of {last}")
        if len(self.speaker) != len(self.label):
            raise _damaged(self.path, f"{len(self.speaker)} speakers of {len(self.label)} utterances")
        for name, numbers in (("by_id", self.by_id), *((f"split.{of}", some) for of, some in self.splits.items())):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < K:
                raise _damaged(self.path, f"{name!r} names a conversation that is none of {K}")

    def check_utterances(self, labels: int, speakers: int) -> None:
        """Whether what stands there of every utterance, and the order of the ids, can be so; reads all of the index.

        Args:
            labels: C.
            speakers: How many speaker numbers there are; one more stands for an unknown speaker.

        Raises:
            InputError: Says what cannot.
        """
        self.labels(slice(None), labels)
        if not 0 <= self.speaker.min() <= self.speaker.max() <= speakers:
            raise _damaged(self.path, f"a number in 'speaker' is outside of 0 to {speakers}")
        before: bytes | None = None
        for number in self.by_id:
            id = self._id(int(number))
            if before is not None and id <= before:
                twice = id.decode("utf-8", "replace")
                raise _damaged(self.path, f"the ids are out of order, or {quoted(twice)} is there twice")
            before = id
        everything = np.concatenate([*self.splits.values(), np.empty(0, np.int64)])
        if len(np.unique(everything)) != len(everything):
            raise _damaged(self.path, "a conversation is in two splits, or twice in one")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: damaged ({reason}); import the corpus again")
