"""The first pass over a table of utterances, and lazy access to its conversations."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.corpus.importers.labels import LabelSpelling, resolve_labels
from sdt.corpus.importers.options import ImportOptions
from sdt.files import resolve_beside
from sdt.formats.parsing.utterance_table import UtteranceFile, utterance_ids
from sdt.speakers import Speakers


class TableScan:
    """The labels, splits, speakers and order of a table, collected in one pass.

    Stores four bytes per utterance if the lines are not in the order of the conversations, and the names of recordings
    if the table has a column of them.

    Raises:
        InputError: See `UtteranceFile.rows` and `resolve_labels`.
    """

    def __init__(self, file: UtteranceFile, options: ImportOptions) -> None:
        found: dict[str, LabelSpelling] = {}
        self.splits: list[str | None] = []
        """The split of each conversation, or None."""
        self.media: dict[tuple[str, str], Path] = {}
        """(conversation id, utterance id) to the recording that the table names."""
        lengths, order, in_order = array("q"), array("i"), True
        most_speakers, names = 1, set[str]()
        for number, id in enumerate(file.conversations):
            rows = file.rows(number)
            for row in rows:
                if row.label is not None:
                    count, line = found.get(row.label, (0, row.line))
                    found[row.label] = LabelSpelling(count + 1, min(line, row.line))
            self.splits.append(next((row.split for row in rows if row.split is not None), None))
            if "media" in file.columns:
                media = zip(utterance_ids(rows), rows, strict=True)
                self.media |= {
                    (id, of): resolve_beside(file.path, row.media) for of, row in media if row.media is not None
                }
            first = len(order)
            order.extend(row.number for row in rows)
            in_order = in_order and all(row.number == first + n for n, row in enumerate(rows))
            lengths.append(len(rows))
            speakers = {row.speaker for row in rows}
            most_speakers = max(most_speakers, len(speakers))
            names |= speakers if options.speakers == "identity" else set()
        self.labels = resolve_labels(file.path, found, options.labels)
        self.size = len(order)
        self.order = None if in_order else np.array(order, dtype=np.int32)
        """[N] the record of each utterance of the corpus in the table; None if the order is the same."""
        self.lengths = np.array(lengths, dtype=np.int64)
        """[K] the number of utterances of each conversation."""
        if options.speakers == "identity":
            self.speakers = Speakers("identity", len(names), tuple(sorted(names)))
        else:
            self.speakers = Speakers("appearance", most_speakers)


class FileConversations(Sequence[Conversation]):
    """The conversations of a table, read on access.

    Args:
        file: The table.
        lengths: [K] the number of utterances of each conversation.
        labels: The spelling of a label in the table to the label.
    """

    def __init__(self, file: UtteranceFile, lengths: npt.NDArray[np.int64], labels: Mapping[str, str]) -> None:
        self._file, self._labels = file, labels
        self.lengths = lengths
        self.ids = file.conversations

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Conversation]:
        return map(self._read, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | list[Conversation]:
        selected = range(len(self))[index]
        return [self._read(number) for number in selected] if isinstance(selected, range) else self._read(selected)

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds equal conversations."""
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list

    def _read(self, number: int) -> Conversation:
        rows = self._file.rows(number)
        utterances = (
            Utterance(
                id, row.speaker, row.text, row.label and self._labels[row.label], row.start, row.end, extra=row.extra
            )
            for id, row in zip(utterance_ids(rows), rows, strict=True)
        )
        return Conversation(self.ids[number], tuple(utterances))
