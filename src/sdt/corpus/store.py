"""A corpus on disk.

    FOLDER/corpus.json           name, labels, speakers, modalities, splits, provenance, licence, SHA-256 of each file
    FOLDER/utterances.jsonl      one utterance a line, conversation after conversation
    FOLDER/index.safetensors     where each conversation lies, the splits, labels and speakers as numbers; see `index`
    FOLDER/MODALITY.safetensors  features [N, D] float32 and present [N] bool, in the order of utterances.jsonl

Everything but the header is memory-mapped, and a conversation is read when it is asked for: opening a corpus takes no
longer, and training on one no more memory, where it has a thousand times the utterances.

Format 1 had no index and kept the conversations of the splits in corpus.json. Such a corpus opens, too; its index is
then made in memory, which reads all of utterances.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus import index as index_file
from sdt.corpus import utterance_lines
from sdt.corpus.conversations import Conversations
from sdt.corpus.draft import Draft
from sdt.corpus.header import FORMAT, check_header
from sdt.corpus.index import Index
from sdt.corpus.modality import Modality
from sdt.corpus.selection import Ids, Selection
from sdt.corpus.verify import check_features, check_files, check_lines
from sdt.corpus.write import index_of_lines, write_folder
from sdt.errors import InputError, described, near_miss, quoted
from sdt.files import atomic_folder, sha256
from sdt.speakers import Speakers

_MOST_SPEAKERS = 1000
"""In a corpus that has not even as many utterances."""

__all__ = ["FORMAT", "Corpus", "Modality", "write_corpus"]


class Corpus:
    """A corpus folder, opened for reading.

    Example:
        >>> corpus = Corpus.open("build/puppets")  # doctest: +SKIP
        >>> corpus.labels, len(corpus.split("train"))  # doctest: +SKIP
    """

    def __init__(self, folder: Path, header: dict[str, Any], index: Index | None = None) -> None:
        self.folder = folder
        self.name: str = header["name"]
        self.labels: tuple[str, ...] = tuple(header["labels"])
        speakers = header["speakers"]
        self.speakers = Speakers(speakers["mode"], speakers["count"], tuple(speakers["names"]))
        self.licence: str = header["licence"]
        self.provenance: dict[str, Any] = header["provenance"]
        self.modalities: dict[str, Modality] = {
            name: Modality(name, entry["width"], entry["encoder"], folder / f"{name}.safetensors")
            for name, entry in header["modalities"].items()
        }
        self.sha256: dict[str, str] = header["sha256"]
        lines = folder / utterance_lines.FILE
        if index is None:
            index = index_of_lines(lines, self.labels, self.speakers, header["splits"])
        self.index = index
        """Where everything lies."""
        self._all = Conversations(lines, index, self.labels)
        self.conversations: Mapping[str, Conversation] = self._all
        """Conversation id to conversation, in the order of the feature rows; each is read when it is asked for."""
        self._selections = {
            split: Selection(self._all, index.splits[split]) for split in header["splits"] if split in index.splits
        }
        self.splits: dict[str, Sequence[str]] = {split: Ids(chosen) for split, chosen in self._selections.items()}
        """Split to the ids of its conversations."""
        self.size = index.size
        """N, the number of utterances."""

    @classmethod
    def open(cls, folder: str | Path) -> Corpus:
        """Open a corpus folder; reads the header and, in passing, what the index says of the conversations.

        Raises:
            InputError: `folder` is no corpus folder, or a file in it is missing, damaged or of another format version.
        """
        folder = Path(folder)
        path = folder / "corpus.json"
        if not path.is_file():
            raise InputError(f"{folder}: not a corpus folder (it has no corpus.json); make one with: sdt corpus import")
        try:
            header = json.loads(path.read_text(encoding="utf-8"))
            if header["format"] not in range(1, FORMAT + 1):
                raise InputError(
                    f"{path}: format {quoted(header['format'])}, but this program reads the formats 1 to {FORMAT}; "
                    "import the corpus again"
                )
            check_header(header)
            corpus = cls(folder, header, _index(folder, header))
            if corpus.speakers.count > max(corpus.size, _MOST_SPEAKERS):
                raise ValueError(f"{corpus.speakers.count:,} speakers of {corpus.size:,} utterances")
            return corpus
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{path}: damaged ({described(error)}); import the corpus again") from None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of corpus.json, which holds the SHA-256 of every other file: one string for the whole content."""
        return sha256(self.folder / "corpus.json")

    def split(self, name: str) -> Selection:
        """The conversations of a split.

        Raises:
            InputError: The corpus has no such split.
        """
        if name not in self._selections:
            raise InputError(f"{self.folder}: the corpus has no split {name!r}{near_miss(name, self._selections)}")
        return self._selections[name]

    def everything(self) -> Selection:
        """All conversations, in the order of the feature rows."""
        return Selection(self._all, np.arange(len(self.index)))

    def rows(self, conversation: str) -> slice:
        """Where a conversation's utterances lie in every feature matrix."""
        return self.index.rows(self._all.number(conversation))

    def excerpts(self, stretches: Mapping[str, tuple[str, slice]]) -> Corpus:
        """The same corpus with stretches of its conversations as conversations of their own; no feature is copied.

        Args:
            stretches: The id of each new conversation to the old one's id and the range of its utterances.

        Returns:
            A corpus of these conversations, in no split.
        """
        return _Excerpts(self, stretches)

    def verify(self, *, lines: bool = True) -> None:
        """Compare every file with its recorded SHA-256, every size with every other, and the index with the lines.

        Args:
            lines: Whether every line is read as well; what has the recorded SHA-256 was right when it was written.

        Raises:
            InputError: Names the first file that differs.
        """
        check_files(self.folder, self.sha256)
        self.index.check_utterances(len(self.labels), self.speakers.count)
        if lines:
            check_lines(self._all, self.speakers)
        for modality in self.modalities.values():
            check_features(modality, self.index)


class _Excerpts(Corpus):
    """Stretches of another corpus' conversations."""

    def __init__(self, corpus: Corpus, stretches: Mapping[str, tuple[str, slice]]) -> None:
        vars(self).update(vars(corpus))
        self.splits, self._selections = {}, {}
        self.conversations = {
            id: Conversation(id, corpus.conversations[whole].utterances[part])
            for id, (whole, part) in stretches.items()
        }
        self._first_row = {id: corpus.rows(whole).start + part.start for id, (whole, part) in stretches.items()}
        self.size = sum(map(len, self.conversations.values()))

    def rows(self, conversation: str) -> slice:
        first = self._first_row[conversation]
        return slice(first, first + len(self.conversations[conversation]))


def _index(folder: Path, header: Mapping[str, Any]) -> Index | None:
    """The index on disk, if it fits the header and the lines; None for format 1, which had none."""
    lines = folder / utterance_lines.FILE
    if not lines.is_file():
        raise InputError(f"{lines}: missing; import the corpus again")
    if header["format"] == 1:
        return None
    index = Index.open(folder / index_file.FILE)
    if index.byte[-1] != lines.stat().st_size:
        raise InputError(
            f"{index.path}: is of {index.byte[-1]} bytes of {lines.name}, which has {lines.stat().st_size}; import the "
            "corpus again"
        )
    sizes = {split: len(numbers) for split, numbers in index.splits.items()}
    if sizes != header["splits"]:
        raise InputError(f"{index.path}: its splits {sizes} are not those of corpus.json; import the corpus again")
    return index


def write_corpus(draft: Draft, folder: Path, *, overwrite: bool = False, treat_as_missing: bool = False) -> Corpus:
    """Check a draft and write it as a corpus folder, whole or not at all.

    Conversations and features go through piece by piece; what the draft has mapped or reads from a file is never in
    memory as a whole.

    Args:
        draft: The corpus, not checked yet.
        folder: Where to write it.
        overwrite: Replace a folder that is there already.
        treat_as_missing: See `Draft.check`.

    Returns:
        The corpus, opened.

    Raises:
        InputError: The draft is no valid corpus, or the folder exists.
    """
    with atomic_folder(folder, overwrite=overwrite) as aside:
        write_folder(draft, aside, treat_as_missing=treat_as_missing)
    return Corpus.open(folder)
