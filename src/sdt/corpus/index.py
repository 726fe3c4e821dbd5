"""The index of a corpus: offsets of conversations, and labels and speakers of utterances as numbers.

    byte    [K+1] int64  byte offset of each conversation in utterances.jsonl; the last is the file's size
    row     [K+1] int64  the first row of each conversation in the feature matrices; the last is N
    id_byte [K+1] int64  byte offset of each conversation's id in `ids`; the last is the size of `ids`
    ids     [bytes] uint8  the ids of the conversations, concatenated, UTF-8
    by_id   [K] int64    the numbers of the conversations, sorted by the bytes of their ids
    label   [N] int32    the number of each utterance's label; -1 if it has no label
    speaker [N] int32    the number of each utterance's speaker, see `Speakers.numbers`
    split.X [..] int64   the numbers of the conversations of split X, in its order

The arrays of a corpus on disk are memory-mapped from `index.safetensors`. Opening a corpus reads and checks the arrays
of length K; the arrays of length N are read on access.

Shapes: N utterances, K conversations, C labels.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError, describe_error, join_names, quoted
from sdt.speakers import Speakers
from sdt.splits import SPLITS

INDEX_FILE = "index.safetensors"
Integers = npt.NDArray[np.int64]
_TYPES = {
    **dict.fromkeys(("byte", "row", "id_byte", "by_id"), np.int64),
    "ids": np.uint8,
    **dict.fromkeys(("label", "speaker"), np.int32),
}


def label_numbers(labels: Sequence[str]) -> dict[str | None, int]:
    """Map each label name to its number, and None to `UNLABELLED`."""
    return {None: UNLABELLED, **{label: number for number, label in enumerate(labels)}}


@dataclass(frozen=True, eq=False)
class Index:
    """The arrays of an index; see the module for their meaning."""

    path: Path
    """The file, for error messages."""
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
        """Memory-map an index file.

        Raises:
            InputError: The file is missing or damaged, or its arrays are inconsistent.
        """
        if not path.is_file():
            raise InputError(f"{path}: missing; import the corpus again")
        try:
            tensors = map_tensors(path)
        except InputError as error:
            raise InputError(f"{error}; import the corpus again") from None
        splits = {name: tensors.pop(f"split.{name}") for name in SPLITS if f"split.{name}" in tensors}
        if set(tensors) != set(_TYPES):
            raise _damaged(path, f"it contains {join_names(sorted(tensors))}")
        for name, values in {**tensors, **splits}.items():
            if values.dtype != _TYPES.get(name, np.int64) or values.ndim != 1:
                raise _damaged(path, f"{name!r} has type {values.dtype} and shape {values.shape}")
        index = cls(path, splits=splits, **tensors)
        index.check_conversations()
        return index

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by their names in the file."""
        return {
            **{name: getattr(self, name) for name in _TYPES},
            **{f"split.{name}": numbers for name, numbers in self.splits.items()},
        }

    def __len__(self) -> int:
        """K, the number of conversations."""
        return len(self.row) - 1

    @property
    def size(self) -> int:
        """N, the number of utterances."""
        return len(self.label)

    def id(self, number: int) -> str:
        """The id of a conversation."""
        try:
            return self._id(number).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _damaged(self.path, f"the id of conversation {number}: {describe_error(error)}") from None

    def _id(self, number: int) -> bytes:
        return self.ids[self.id_byte[number] : self.id_byte[number + 1]].tobytes()

    def find(self, id: str) -> int | None:
        """The number of the conversation with this id; None if the corpus has no such conversation."""
        wanted = id.encode("utf-8", "surrogatepass")
        rank = bisect.bisect_left(range(len(self)), wanted, key=lambda n: self._id(int(self.by_id[n])))
        if rank == len(self) or self._id(int(self.by_id[rank])) != wanted:
            return None
        return int(self.by_id[rank])

    def rows(self, number: int) -> slice:
        """The feature rows of a conversation."""
        return slice(int(self.row[number]), int(self.row[number + 1]))

    def rows_of(self, numbers: Integers) -> Integers:
        """The feature rows of several conversations, concatenated."""
        first = self.row[numbers]
        lengths = self.row[numbers + 1] - first
        gap = first - (np.cumsum(lengths) - lengths)  # offset of each conversation's rows in the result
        return np.repeat(gap, lengths) + np.arange(int(lengths.sum()))

    def labels(self, rows: slice | Integers, count: int) -> npt.NDArray[np.int32]:
        """The label numbers of some rows.

        Args:
            rows: The rows.
            count: C, the number of labels.

        Raises:
            InputError: A number is not a label number.
        """
        label = self.label[rows]
        if len(label) and not UNLABELLED <= label.min() <= label.max() < count:
            raise _damaged(self.path, f"a number in 'label' is outside of {UNLABELLED} to {count - 1}")
        return label

    def conversation_of(self, row: int) -> int:
        """The number of the conversation that a row belongs to."""
        return int(np.searchsorted(self.row, row, side="right")) - 1

    def check_conversations(self) -> None:
        """Check the arrays of length K: offsets rise and conversation numbers are in range.

        Raises:
            InputError: An array is inconsistent; the message names it.
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
                raise _damaged(self.path, f"{name!r} names a conversation outside of the {K} of this corpus")

    def check_utterances(self, labels: int, speakers: int) -> None:
        """Check the arrays of length N and the order of the ids; this reads the whole index.

        Args:
            labels: C, the number of labels.
            speakers: The number of known speakers; this number itself stands for an unknown speaker.

        Raises:
            InputError: An array is inconsistent; the message names it.
        """
        self.labels(slice(None), labels)
        if not 0 <= self.speaker.min() <= self.speaker.max() <= speakers:
            raise _damaged(self.path, f"a number in 'speaker' is outside of 0 to {speakers}")
        before: bytes | None = None
        for number in self.by_id:
            id = self._id(int(number))
            if before is not None and id <= before:
                twice = id.decode("utf-8", "replace")
                raise _damaged(self.path, f"the ids are out of order, or {quoted(twice)} occurs twice")
            before = id
        everything = np.concatenate([*self.splits.values(), np.empty(0, np.int64)])
        if len(np.unique(everything)) != len(everything):
            raise _damaged(self.path, "a conversation is in two splits, or twice in one")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: damaged ({reason}); import the corpus again")


class IndexBuilder:
    """Builds an index conversation by conversation; holds eight bytes per utterance and the conversation ids."""

    def __init__(self, labels: Sequence[str], speakers: Speakers) -> None:
        self._labels = label_numbers(labels)
        self._speakers = speakers
        self._byte, self._row, self._id_byte = array("q", [0]), array("q", [0]), array("q", [0])
        self._label, self._speaker = array("i"), array("i")
        self._ids = bytearray()
        self._number: dict[str, int] = {}

    def __contains__(self, id: object) -> bool:
        """Whether a conversation with this id was added."""
        return id in self._number

    def add(self, conversation: Conversation, size: int) -> None:
        """Add the next conversation.

        Args:
            conversation: A conversation with a new id and known labels.
            size: The bytes of its lines in utterances.jsonl.
        """
        self._number[conversation.id] = len(self._number)
        self._label.extend(self._labels[utterance.label] for utterance in conversation.utterances)
        self._speaker.extend(self._speakers.numbers(conversation))
        self._ids += conversation.id.encode("utf-8")
        self._byte.append(self._byte[-1] + size)
        self._row.append(len(self._label))
        self._id_byte.append(len(self._ids))

    def build(self, path: Path, splits: Mapping[str, Sequence[str]]) -> Index:
        """The index of the added conversations.

        Args:
            path: The index file, for error messages.
            splits: Split name to the ids of its conversations.

        Raises:
            KeyError: A split names a conversation that was not added.
        """
        by_id = sorted(self._number, key=lambda id: id.encode("utf-8"))
        return Index(
            path=path,
            byte=np.array(self._byte, dtype=np.int64),
            row=np.array(self._row, dtype=np.int64),
            id_byte=np.array(self._id_byte, dtype=np.int64),
            ids=np.frombuffer(bytes(self._ids), dtype=np.uint8),
            by_id=np.array([self._number[id] for id in by_id], dtype=np.int64),
            label=np.array(self._label, dtype=np.int32),
            speaker=np.array(self._speaker, dtype=np.int32),
            splits={split: np.array([self._number[id] for id in ids], dtype=np.int64) for split, ids in splits.items()},
        )
