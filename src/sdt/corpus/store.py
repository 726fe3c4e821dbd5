"""A corpus on disk.

    FOLDER/corpus.json           name, labels, speakers, modalities, splits, provenance, licence, SHA-256 of each file
    FOLDER/utterances.jsonl      one utterance a line, conversation after conversation
    FOLDER/MODALITY.safetensors  features [N, D] float32 and present [N] bool, in the order of utterances.jsonl

The feature matrices are memory-mapped: opening a corpus reads none of them, and a batch reads only its own rows.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sdt.conversation import Conversation, Utterance
from sdt.corpus.draft import MODALITY_NAME, Draft
from sdt.corpus.header import check_header
from sdt.errors import InputError, near_miss
from sdt.files import atomic_folder, sha256
from sdt.speakers import Speakers

FORMAT = 1


@dataclass(frozen=True)
class Modality:
    """One modality of an opened corpus."""

    name: str
    width: int
    """D, the number of features of an utterance."""
    encoder: str
    """The feature encoder's name with its settings."""
    path: Path

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """[N]; whether each utterance has this modality."""
        try:
            with self._open() as file:
                present: npt.NDArray[np.bool_] = file.get_tensor("present")
        except (SafetensorError, TypeError, KeyError) as error:
            raise self._damaged(error) from None
        if present.dtype != np.bool_ or present.ndim != 1:
            raise self._damaged(f"'present' is of type {present.dtype} and shape {present.shape}")
        return present

    @cached_property
    def _features(self) -> Any:  # noqa: ANN401 - safetensors' slice type is not public
        try:
            with self._open() as file:
                return file.get_slice("features")
        except SafetensorError as error:
            raise self._damaged(error) from None

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D) as the file has it."""
        return tuple(self._features.get_shape())

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D], read from the mapped file."""
        features: npt.NDArray[np.float32] = self._features[rows.start : rows.stop]
        return features

    def _open(self) -> Any:  # noqa: ANN401 - safetensors is not typed
        try:
            return safe_open(self.path, framework="np")
        except (SafetensorError, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, reason: object) -> InputError:
        return InputError(f"{self.path}: cannot be read ({reason}); import the corpus again")


class Corpus:
    """A corpus folder, opened for reading.

    Example:
        >>> corpus = Corpus.open("build/puppets")  # doctest: +SKIP
        >>> corpus.labels, len(corpus.split("train"))  # doctest: +SKIP
    """

    def __init__(self, folder: Path, header: dict[str, Any], conversations: dict[str, Conversation]) -> None:
        self.folder = folder
        self.name: str = header["name"]
        self.labels: tuple[str, ...] = tuple(header["labels"])
        speakers = header["speakers"]
        self.speakers = Speakers(speakers["mode"], speakers["count"], tuple(speakers["names"]))
        self.licence: str = header["licence"]
        self.provenance: dict[str, Any] = header["provenance"]
        self.splits: dict[str, tuple[str, ...]] = {k: tuple(v) for k, v in header["splits"].items()}
        self.modalities: dict[str, Modality] = {
            name: Modality(name, entry["width"], entry["encoder"], folder / f"{name}.safetensors")
            for name, entry in header["modalities"].items()
        }
        self.sha256: dict[str, str] = header["sha256"]
        self.conversations = conversations
        """Conversation id to conversation, in the order of the feature rows."""
        self._first_row: dict[str, int] = {}
        row = 0
        for conversation in conversations.values():
            self._first_row[conversation.id] = row
            row += len(conversation)
        self.size = row
        """N, the number of utterances."""

    @classmethod
    def open(cls, folder: str | Path) -> Corpus:
        """Open a corpus folder without reading its features.

        Raises:
            InputError: `folder` is no corpus folder, or a file in it is missing, damaged or of another format version.
        """
        folder = Path(folder)
        path = folder / "corpus.json"
        if not path.is_file():
            raise InputError(f"{folder}: not a corpus folder (it has no corpus.json); make one with: sdt corpus import")
        try:
            header = json.loads(path.read_text(encoding="utf-8"))
            if header["format"] != FORMAT:
                raise InputError(
                    f"{path}: format {header['format']}, but this program reads format {FORMAT}; "
                    "import the corpus again"
                )
            check_header(header)
            corpus = cls(folder, header, _read_conversations(folder / "utterances.jsonl"))
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); import the corpus again") from None
        corpus._check_references()
        return corpus

    def _check_references(self) -> None:
        """Refuse splits of unknown conversations and utterances with unknown labels."""
        for split, ids in self.splits.items():
            for conversation in ids:
                if conversation not in self.conversations:
                    raise InputError(
                        f"{self.folder}: split {split!r} names conversation {conversation!r}, "
                        "which is not in utterances.jsonl; import the corpus again"
                    )
        for found in self.conversations.values():
            for utterance in found.utterances:
                if utterance.label is not None and utterance.label not in self.labels:
                    raise InputError(
                        f"{self.folder}: conversation {found.id!r}, utterance {utterance.id!r} has the label "
                        f"{utterance.label!r}, which corpus.json does not name; import the corpus again"
                    )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of corpus.json, which holds the SHA-256 of every other file: one string for the whole content."""
        return sha256(self.folder / "corpus.json")

    def split(self, name: str) -> list[Conversation]:
        """The conversations of a split.

        Raises:
            InputError: The corpus has no such split.
        """
        if name not in self.splits:
            raise InputError(f"{self.folder}: the corpus has no split {name!r}{near_miss(name, self.splits)}")
        return [self.conversations[conversation] for conversation in self.splits[name]]

    def rows(self, conversation: str) -> slice:
        """Where a conversation's utterances lie in every feature matrix."""
        first = self._first_row[conversation]
        return slice(first, first + len(self.conversations[conversation]))

    def excerpts(self, stretches: Mapping[str, tuple[str, slice]]) -> Corpus:
        """The same corpus with stretches of its conversations as conversations of their own; no feature is copied.

        Args:
            stretches: The id of each new conversation to the old one's id and the range of its utterances.

        Returns:
            A corpus of these conversations, in no split.
        """
        view = copy.copy(self)
        view.splits = {}
        view.conversations = {
            id: Conversation(id, self.conversations[whole].utterances[part]) for id, (whole, part) in stretches.items()
        }
        view._first_row = {id: self._first_row[whole] + part.start for id, (whole, part) in stretches.items()}
        view.size = sum(map(len, view.conversations.values()))
        return view

    def verify(self) -> None:
        """Compare every file with its recorded SHA-256 and every size with every other.

        Raises:
            InputError: Names the first file that differs.
        """
        for name, expected in self.sha256.items():
            path = self.folder / name
            if not path.is_file():
                raise InputError(f"{path}: missing; import the corpus again")
            if sha256(path) != expected:
                raise InputError(
                    f"{path}: its SHA-256 is not the one in corpus.json: the file was changed or damaged; "
                    "import the corpus again"
                )
        for modality in self.modalities.values():
            self._verify_features(modality)

    def _verify_features(self, modality: Modality) -> None:
        """Check that a feature file has a row of finite values for every utterance."""
        shapes = modality.present.shape, modality.shape
        if shapes != ((self.size,), (self.size, modality.width)):
            raise InputError(
                f"{modality.path}: its shape {modality.shape} does not fit {self.size} utterances of width "
                f"{modality.width}; import the corpus again"
            )
        for conversation in self.conversations:
            if not np.isfinite(modality.rows(self.rows(conversation))).all():
                raise InputError(
                    f"{modality.path}: NaN or infinite values in conversation {conversation!r}; import the corpus again"
                )


def write_corpus(draft: Draft, folder: Path, *, overwrite: bool = False, treat_as_missing: bool = False) -> Corpus:
    """Check a draft and write it as a corpus folder, whole or not at all.

    Args:
        draft: The corpus in memory.
        folder: Where to write it.
        overwrite: Replace a folder that is there already.
        treat_as_missing: See `Draft.check`.

    Returns:
        The corpus, opened.

    Raises:
        InputError: The draft is no valid corpus, or the folder exists.
    """
    draft.check(treat_as_missing=treat_as_missing)
    for modality in draft.features:
        if not re.fullmatch(MODALITY_NAME, modality):
            raise InputError(f"{draft.name}: modality name {modality!r}: use letters, digits and underscores only")
    with atomic_folder(folder, overwrite=overwrite) as aside:
        with (aside / "utterances.jsonl").open("w", encoding="utf-8") as file:
            for line in _lines(draft.conversations):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        for name, table in draft.features.items():
            tensors = {"features": np.ascontiguousarray(table.features), "present": table.present}
            # Not save_file, which makes files that only their owner can read.
            (aside / f"{name}.safetensors").write_bytes(save(tensors))
        header = {
            "format": FORMAT,
            "name": draft.name,
            "labels": draft.labels,
            "speakers": {"mode": draft.speakers.mode, "count": draft.speakers.count, "names": draft.speakers.names},
            "modalities": {
                name: {"width": table.features.shape[1], "encoder": table.encoder}
                for name, table in draft.features.items()
            },
            "splits": draft.splits,
            "licence": draft.licence,
            "provenance": draft.provenance,
            "sha256": {path.name: sha256(path) for path in sorted(aside.iterdir())},
        }
        (aside / "corpus.json").write_text(json.dumps(header, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Corpus.open(folder)


def _lines(conversations: list[Conversation]) -> Iterator[dict[str, object]]:
    for conversation in conversations:
        for utterance in conversation.utterances:
            line: dict[str, object] = {
                "conversation": conversation.id,
                "utterance": utterance.id,
                "speaker": utterance.speaker,
            }
            for key in ("label", "text", "start", "end"):
                if (value := getattr(utterance, key)) is not None:
                    line[key] = value
            yield line


def _read_conversations(path: Path) -> dict[str, Conversation]:
    """Read utterances.jsonl; the lines of a conversation stand together."""
    if not path.is_file():
        raise InputError(f"{path}: missing; import the corpus again")
    found: dict[str, list[Utterance]] = {}
    last = None
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                line = json.loads(text)
                _check_line(line)
                conversation = line.pop("conversation")
                if conversation != last and conversation in found:
                    raise InputError(f"{path}, line {number}: conversation {conversation!r} began further up")
                last = conversation
                found.setdefault(conversation, []).append(Utterance(id=line.pop("utterance"), **line))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged after {sum(map(len, found.values()))} utterances "
            f"({type(error).__name__}: {error}); import the corpus again"
        ) from None
    return {id: Conversation(id, tuple(utterances)) for id, utterances in found.items()}


def _check_line(line: dict[str, object]) -> None:
    for key, value in line.items():
        kinds = int | float if key in ("start", "end") else str
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{key} is {value!r}")
