"""The utterances of a corpus: one line of `utterances.jsonl` each, read when a conversation is accessed."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.index import Index, IndexBuilder, label_numbers
from sdt.errors import InputError, describe_error, quoted
from sdt.formats.records import annotation_record
from sdt.speakers import Speakers

UTTERANCES_FILE = "utterances.jsonl"
CACHE_SIZE = 1 << 14
"""Approximate number of utterances whose conversations stay in memory after they are read: all of MELD."""


class Conversations(Mapping[str, Conversation]):
    """Maps conversation ids to conversations, in the order of the feature rows.

    A conversation is read from the file when it is accessed; recently read conversations stay in memory.

    Args:
        path: The file `utterances.jsonl`.
        index: The index of this file.
        labels: The label names of the corpus.
    """

    def __init__(self, path: Path, index: Index, labels: Sequence[str]) -> None:
        self.path, self.index, self.labels = path, index, tuple(labels)
        self._number = label_numbers(labels)
        self._find = lru_cache(maxsize=CACHE_SIZE)(index.find)
        self._cache: OrderedDict[int, Conversation] = OrderedDict()
        self._cached_utterances = 0
        self.owner: object = None
        """Kept as long as the conversations; see `Corpus.keep_alive`."""

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[str]:
        return map(self.index.id, range(len(self)))

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self._find(id) is not None

    def __getitem__(self, id: str) -> Conversation:
        return self.at(self.number(id))

    def values(self) -> ValuesView[Conversation]:
        """The conversations, read one at a time."""
        return _Values(self)

    def items(self) -> ItemsView[str, Conversation]:
        """The ids and conversations, read one at a time."""
        return _Items(self)

    def number(self, id: str) -> int:
        """The number of a conversation: its position in the order of the corpus.

        Raises:
            KeyError: The corpus has no conversation with this id.
        """
        number = self._find(id)
        if number is None:
            raise KeyError(id)
        return number

    def at(self, number: int) -> Conversation:
        """The conversation with a number."""
        if (found := self._cache.get(number)) is not None:
            self._cache.move_to_end(number)
            return found
        found = self.read(number)
        self._cache[number] = found
        self._cached_utterances += len(found)
        while self._cached_utterances > CACHE_SIZE and len(self._cache) > 1:
            self._cached_utterances -= len(self._cache.popitem(last=False)[1])
        return found

    def read(self, number: int) -> Conversation:
        """Read a conversation from the file, bypassing the cache.

        Raises:
            InputError: The lines are damaged or do not match the index.
        """
        index, id = self.index, self.index.id(number)
        first = int(index.row[number])
        text = self._text[index.byte[number] : index.byte[number + 1]].tobytes()
        utterances: list[Utterance] = []
        for line, content in enumerate(io.BytesIO(text), start=first + 1):
            conversation, utterance = parse_line(self.path, line, content, self.labels)
            if conversation != id:
                raise self.mismatch(line, f"conversation {quoted(conversation)} instead of {quoted(id)}")
            utterances.append(utterance)
        rows = index.rows(number)
        if len(utterances) != rows.stop - rows.start or not text.endswith(b"\n"):
            raise self.mismatch(first + 1, f"{len(utterances)} utterances of {quoted(id)}")
        if [self._number[utterance.label] for utterance in utterances] != index.label[rows].tolist():
            raise self.mismatch(first + 1, f"other labels in {quoted(id)}")
        return Conversation(id, tuple(utterances))

    @cached_property
    def _text(self) -> npt.NDArray[np.uint8]:
        try:
            return np.asarray(np.memmap(self.path, dtype=np.uint8, mode="r"))
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise InputError(
                f"{self.path}: cannot be read ({describe_error(error)}); import the corpus again"
            ) from None

    def mismatch(self, line: int, found: str) -> InputError:
        """The error for a line that contradicts the index."""
        return InputError(
            f"{self.path}, line {line}: {found}, which does not match {self.index.path.name}; import the corpus again"
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


def format_lines(conversation: Conversation) -> Iterator[str]:
    """Format each utterance of a conversation as a line of JSON, with its line end."""
    for utterance in conversation.utterances:
        line: dict[str, object] = {
            "conversation": conversation.id,
            "utterance": utterance.id,
            "speaker": utterance.speaker,
        }
        for key in ("label", "text", "start", "end"):
            if (value := getattr(utterance, key)) is not None:
                line[key] = value
        if utterance.annotations:
            line["annotations"] = [annotation_record(one) for one in utterance.annotations]
        if utterance.extra:
            line["extra"] = dict(utterance.extra)
        yield json.dumps(line, ensure_ascii=False) + "\n"


def parse_line(path: Path, number: int, text: bytes, labels: Sequence[str]) -> tuple[str, Utterance]:
    """Parse a line of `utterances.jsonl`.

    Args:
        path: The file, for error messages.
        number: The line number, from 1.
        text: The line.
        labels: The label names of the corpus.

    Returns:
        The id of the conversation, and the utterance.

    Raises:
        InputError: The line is damaged, or its label is not a label of the corpus.
    """
    try:
        line = json.loads(text.decode("utf-8"))
        annotations = tuple(Annotation(**one) for one in line.pop("annotations", ()))
        extra = dict(line.pop("extra", {}))
        for key, value in line.items():
            kinds = int | float if key in ("start", "end") else str
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise TypeError(f"{key} is {quoted(value)}")
        id = line.pop("conversation")
        utterance = Utterance(id=line.pop("utterance"), annotations=annotations, extra=extra, **line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}, line {number}: damaged ({describe_error(error)}); import the corpus again") from None
    if utterance.label is not None and utterance.label not in labels:
        raise InputError(
            f"{path}, line {number}: conversation {quoted(id)}, utterance {quoted(utterance.id)} has the label "
            f"{quoted(utterance.label)}, which corpus.json does not list; import the corpus again"
        )
    return id, utterance


def index_lines(path: Path, labels: Sequence[str], speakers: Speakers, splits: Mapping[str, Sequence[str]]) -> Index:
    """Build the index of a corpus of format 1, which has no index file.

    Args:
        path: The file `utterances.jsonl`; the lines of a conversation are contiguous.
        labels: The label names of the corpus.
        speakers: The speaker numbering of the corpus.
        splits: Split to the ids of its conversations.

    Raises:
        InputError: A line is damaged, the lines of a conversation are not contiguous, or a split names an unknown
            conversation.
    """
    builder = IndexBuilder(labels, speakers)
    for line, size, conversation in _read_all(path, labels):
        if conversation.id in builder:
            raise InputError(
                f"{path}, line {line}: the lines of conversation {conversation.id!r} are not contiguous; import the "
                "corpus again"
            )
        builder.add(conversation, size)
    for split, ids in splits.items():
        for id in ids:
            if id not in builder:
                raise InputError(
                    f"{path.parent}: split {split!r} names conversation {id!r}, which is not in {path.name}; import "
                    "the corpus again"
                )
    index = builder.build(path, splits)
    index.check_conversations()
    return index


def _read_all(path: Path, labels: Sequence[str]) -> Iterator[tuple[int, int, Conversation]]:
    """Yield the first line number, the size in bytes and the conversation."""
    utterances: list[Utterance] = []
    id, size, first = "", 0, 1
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            conversation, utterance = parse_line(path, number, text, labels)
            if utterances and conversation != id:
                yield first, size, Conversation(id, tuple(utterances))
                utterances, size, first = [], 0, number
            id, size = conversation, size + len(text)
            utterances.append(utterance)
    if utterances:
        yield first, size, Conversation(id, tuple(utterances))
