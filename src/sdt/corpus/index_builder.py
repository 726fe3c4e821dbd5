"""An index, made conversation by conversation while a corpus is written or read from its beginning to its end."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus.index import Index, label_numbers
from sdt.speakers import Speakers


class IndexBuilder:
    """What is kept is the index itself, eight bytes an utterance, and the ids of the conversations."""

    def __init__(self, labels: Sequence[str], speakers: Speakers) -> None:
        self._labels = label_numbers(labels)
        self._speakers = speakers
        self._byte, self._row, self._id_byte = array("q", [0]), array("q", [0]), array("q", [0])
        self._label, self._speaker = array("i"), array("i")
        self._ids = bytearray()
        self._number: dict[str, int] = {}

    def __contains__(self, id: object) -> bool:
        """Whether there was a conversation of this id."""
        return id in self._number

    def add(self, conversation: Conversation, size: int) -> None:
        """The next conversation, whose lines have so many bytes; its id is new and its labels are known."""
        self._number[conversation.id] = len(self._number)
        self._label.extend(self._labels[utterance.label] for utterance in conversation.utterances)
        self._speaker.extend(self._speakers.numbers(conversation))
        self._ids += conversation.id.encode("utf-8")
        self._byte.append(self._byte[-1] + size)
        self._row.append(len(self._label))
        self._id_byte.append(len(self._ids))

    def index(self, path: Path, splits: Mapping[str, Sequence[str]]) -> Index:
        """The index of what was added.

        Args:
            path: Where it is or would be.
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
