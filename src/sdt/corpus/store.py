"""A corpus on disk, opened for reading.

    FOLDER/corpus.json           name, labels, speakers, modalities, splits, provenance, licence, SHA-256 of each file
    FOLDER/utterances.jsonl      one utterance per line, conversation after conversation
    FOLDER/index.safetensors     offsets of the conversations; splits, labels and speakers as numbers; see `index`
    FOLDER/MODALITY.safetensors  features [N, D] float32 and present [N] bool, in the order of utterances.jsonl

All files except corpus.json are memory-mapped, and a conversation is read when it is accessed. The time to open
a corpus and the memory to train on one therefore do not depend on the number of utterances.

Corpora of format 1 have no index and store the conversation ids of the splits in corpus.json. They open, too; the index
is then built in memory, which reads all of utterances.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.corpus.checks import FORMAT, check_files, check_header, check_lines
from sdt.corpus.constructors import Constructors
from sdt.corpus.conversations import UTTERANCES_FILE, Conversations, index_lines
from sdt.corpus.index import INDEX_FILE, Index, Integers
from sdt.corpus.selection import Ids, Selection
from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError, describe_error, near_miss, quoted
from sdt.feature_table import row_chunks
from sdt.files import sha256
from sdt.speakers import Speakers

_MAX_SPEAKERS = 1000
"""A corpus can have this many speaker numbers even if it has fewer utterances."""


@dataclass(frozen=True)
class Modality:
    """The features of one modality of an opened corpus, memory-mapped."""

    name: str
    width: int
    """D, the number of features of an utterance."""
    encoder: str
    """The name of the feature encoder with its settings."""
    path: Path

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """[N] whether each utterance has this modality."""
        present: npt.NDArray[np.bool_] = self._tensors["present"]
        return present

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D) of the file."""
        return self._tensors["features"].shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]: a read-only view of the mapped file."""
        features: npt.NDArray[np.float32] = self._tensors["features"][rows]
        return features

    @cached_property
    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        try:
            found = map_tensors(self.path)
        except InputError as error:
            raise InputError(f"{error}; import the corpus again") from None
        for name, dtype, dimensions in (("features", np.float32, 2), ("present", np.bool_, 1)):
            array = found.get(name)
            if array is None or array.dtype != dtype or array.ndim != dimensions:
                actual = "is missing" if array is None else f"has type {array.dtype} and shape {array.shape}"
                raise InputError(f"{self.path}: cannot be read ({name!r} {actual}); import the corpus again")
        if found["features"].shape[1] != self.width:
            raise InputError(
                f"{self.path}: its shape {found['features'].shape} does not fit the width {self.width} of corpus.json; "
                "import the corpus again"
            )
        return found

    def check(self, index: Index) -> None:
        """Check that the file has one row of finite values per utterance.

        Raises:
            InputError: The shape is wrong, or a value is NaN or infinite.
        """
        if (self.present.shape, self.shape) != ((index.size,), (index.size, self.width)):
            raise InputError(
                f"{self.path}: its shape {self.shape} does not fit {index.size} utterances of width {self.width}; "
                "import the corpus again"
            )
        for rows in row_chunks(self.shape):
            finite = np.isfinite(self.rows(rows)).all(axis=1)
            if not finite.all():
                conversation = index.id(index.conversation_of(rows.start + int(finite.argmin())))
                raise InputError(
                    f"{self.path}: NaN or infinite values in conversation {quoted(conversation)}; import the corpus "
                    "again"
                )


class Corpus(Constructors):
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
        lines = folder / UTTERANCES_FILE
        if index is None:
            index = index_lines(lines, self.labels, self.speakers, header["splits"])
        self.index = index
        self._all = Conversations(lines, index, self.labels)
        self.conversations: Mapping[str, Conversation] = self._all
        """Conversation id to conversation, in the order of the feature rows; each is read when it is accessed."""
        self._selections = {
            split: Selection(self._all, index.splits[split]) for split in header["splits"] if split in index.splits
        }
        self.splits: dict[str, Sequence[str]] = {split: Ids(of) for split, of in self._selections.items()}
        """Split to the ids of its conversations."""
        self.size = index.size
        """N, the number of utterances."""
        self.division = ""
        """Where the splits come from, if they are not those of the folder: `fold-2 of 5`."""
        self.notes: tuple[str, ...] = ()
        """Notes of the import that made this object, one line each; empty for a corpus that was opened."""
        self._kept_alive: object = None

    def keep_alive(self, owner: object) -> None:
        """Keep an object, the owner of the files, as long as this corpus, its views and its conversations."""
        self._kept_alive = self._all.owner = owner

    @classmethod
    def open(cls, folder: str | Path) -> Corpus:
        """Open a corpus folder; this reads corpus.json and the part of the index that describes conversations.

        Args:
            folder: A folder that `write_corpus` or `sdt corpus import` wrote.

        Raises:
            InputError: The folder is not a corpus, or a file is missing, damaged or of another format version.
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
            corpus = cls(folder, header, _open_index(folder, header))
            if corpus.speakers.count > max(corpus.size, _MAX_SPEAKERS):
                raise ValueError(f"{corpus.speakers.count:,} speakers of {corpus.size:,} utterances")
            return corpus
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{path}: damaged ({describe_error(error)}); import the corpus again") from None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of corpus.json, which contains the SHA-256 of every other file: identifies the whole content."""
        return sha256(self.folder / "corpus.json")

    def split(self, name: str) -> Selection:
        """The conversations of a split.

        Raises:
            InputError: The corpus does not have this split.
        """
        if name not in self._selections:
            raise InputError(f"{self.folder}: the corpus has no split {name!r}{near_miss(name, self._selections)}")
        return self._selections[name]

    def all_conversations(self) -> Selection:
        """All conversations, in the order of the feature rows."""
        return Selection(self._all, np.arange(len(self.index)))

    def rows(self, conversation: str) -> slice:
        """The rows of a conversation's utterances in every feature matrix."""
        return self.index.rows(self._all.number(conversation))

    def excerpts(self, spans: Mapping[str, tuple[str, slice]]) -> Corpus:
        """A view of this corpus whose conversations are excerpts of the original ones; no features are copied.

        Args:
            spans: The id of each excerpt to the id of the original conversation and the range of its utterances.

        Returns:
            A corpus of the excerpts, without splits.
        """
        return _Excerpts(self, spans)

    def with_splits(self, splits: Mapping[str, Integers], division: str) -> Corpus:
        """A view of this corpus with other splits; no features are copied.

        Args:
            splits: Split to the numbers of its conversations.
            division: The name of the division.
        """
        return _Divided(self, splits, division)

    def verify(self, *, lines: bool = True) -> None:
        """Check every file against its recorded SHA-256, and the files against each other.

        Args:
            lines: Whether to parse every line of utterances.jsonl, too. This is redundant for a corpus that
                `write_corpus` wrote, because its SHA-256 already matches.

        Raises:
            InputError: A check fails; the message names the file.
        """
        check_files(self.folder, self.sha256)
        self.index.check_utterances(len(self.labels), self.speakers.count)
        if lines:
            check_lines(self._all, self.speakers)
        for modality in self.modalities.values():
            modality.check(self.index)


class _Excerpts(Corpus):
    """Excerpts of the conversations of another corpus."""

    def __init__(self, corpus: Corpus, spans: Mapping[str, tuple[str, slice]]) -> None:
        vars(self).update(vars(corpus))
        self.splits, self._selections = {}, {}
        self.conversations = {
            id: Conversation(id, corpus.conversations[whole].utterances[part]) for id, (whole, part) in spans.items()
        }
        self._first_row = {id: corpus.rows(whole).start + part.start for id, (whole, part) in spans.items()}
        self.size = sum(map(len, self.conversations.values()))

    def rows(self, conversation: str) -> slice:
        first = self._first_row[conversation]
        return slice(first, first + len(self.conversations[conversation]))


class _Divided(Corpus):
    """A corpus with other splits."""

    def __init__(self, corpus: Corpus, splits: Mapping[str, Integers], division: str) -> None:
        vars(self).update(vars(corpus))
        self.division = division
        self._selections = {name: Selection(self._all, numbers) for name, numbers in splits.items()}
        self.splits = {name: Ids(of) for name, of in self._selections.items()}


def _open_index(folder: Path, header: Mapping[str, Any]) -> Index | None:
    """Open the index and check that it fits the other files; None for format 1, which has no index."""
    lines = folder / UTTERANCES_FILE
    if not lines.is_file():
        raise InputError(f"{lines}: missing; import the corpus again")
    if header["format"] == 1:
        return None
    index = Index.open(folder / INDEX_FILE)
    if index.byte[-1] != lines.stat().st_size:
        raise InputError(
            f"{index.path}: describes {index.byte[-1]} bytes of {lines.name}, which has {lines.stat().st_size}; import "
            "the corpus again"
        )
    sizes = {split: len(numbers) for split, numbers in index.splits.items()}
    if sizes != header["splits"]:
        raise InputError(f"{index.path}: its splits {sizes} are not those of corpus.json; import the corpus again")
    return index
