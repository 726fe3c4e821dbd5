"""A corpus in memory, before it is written: the result of every importer, its checks, and `write_corpus`."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sdt.conversation import MAX_LABELS, Conversation
from sdt.corpus.checks import FORMAT, MODALITY_NAME
from sdt.corpus.conversations import UTTERANCES_FILE, format_lines
from sdt.corpus.index import INDEX_FILE, Index, IndexBuilder
from sdt.corpus.selection import UtteranceKey
from sdt.corpus.store import Corpus
from sdt.corpus.tensors import HashedFile, TensorChunks, write_tensors
from sdt.errors import InputError, join_names, near_miss, quoted
from sdt.feature_table import FeatureTable, row_chunks
from sdt.files import atomic_folder
from sdt.speakers import Speakers
from sdt.splits import SPLITS
from sdt.text import check_names


@dataclass
class CorpusBuilder:
    """A corpus that is not written yet; its parts are in memory or streamed from other files.

    `check` reports every problem as a one-line `InputError`; `write_corpus` runs the same checks.
    """

    name: str
    conversations: Sequence[Conversation]
    labels: tuple[str, ...]
    """Label names in the order of their numbers."""
    splits: dict[str, list[str]]
    """Split name (`train`, `dev`, `test`) to conversation ids; a conversation may be in none."""
    features: dict[str, FeatureTable]
    speakers: Speakers
    licence: str = "unknown"
    provenance: dict[str, object] = field(default_factory=dict)
    """The importer, its options, and the source files with their SHA-256. JSON values only."""
    notes: list[str] = field(default_factory=list)
    """Messages of the importer about repaired, missing or ignored data, one line each."""

    def utterance_keys(self) -> Iterator[UtteranceKey]:
        """(conversation id, utterance id) of each row of the feature tables, in order."""
        for conversation in self.conversations:
            for utterance in conversation.utterances:
                yield conversation.id, utterance.id

    def check(self, *, treat_as_missing: bool = False) -> None:
        """Check that this is a valid corpus.

        Args:
            treat_as_missing: Whether utterances whose features contain NaN or infinite values are marked as missing in
                this modality, with a note, instead of raising an error.

        Raises:
            InputError: Duplicate ids, names with control characters, an empty conversation, a label outside the set,
                splits that overlap or name unknown conversations, a feature table of the wrong size, values that are
                not finite.
        """
        known = {conversation.id for conversation in self.checked_conversations()}
        self.check_splits(known)
        self.check_tables(sum(map(len, self.conversations)), treat_as_missing=treat_as_missing)

    def checked_conversations(self) -> Iterator[Conversation]:
        """Yield each conversation after checking it.

        Raises:
            InputError: See `check`.
        """
        if not self.conversations:
            raise InputError(f"{self.name}: no conversations found")
        if not 1 < len(set(self.labels)) == len(self.labels) <= MAX_LABELS:
            raise InputError(
                f"{self.name}: 2 to {MAX_LABELS} different labels are required, got {len(self.labels)}: "
                f"{join_names(self.labels)}"
            )
        check_names("corpus name", [self.name])
        check_names(f"{self.name}: label", self.labels)
        seen: set[str] = set()
        for conversation in self.conversations:
            check_names(f"{self.name}: conversation id", [conversation.id])
            if conversation.id in seen:
                raise InputError(f"{self.name}: conversation id {quoted(conversation.id)} occurs twice")
            seen.add(conversation.id)
            self._check_conversation(conversation)
            yield conversation

    def _check_conversation(self, conversation: Conversation) -> None:
        if not conversation.utterances:
            raise InputError(f"{self.name}: conversation {quoted(conversation.id)} has no utterances")
        ids: set[str] = set()
        where = f"{self.name}: conversation {quoted(conversation.id)}"
        check_names(f"{where}, utterance id", (utterance.id for utterance in conversation.utterances))
        check_names(f"{where}, speaker", {utterance.speaker for utterance in conversation.utterances})
        for utterance in conversation.utterances:
            if utterance.id in ids:
                raise InputError(f"{where}, utterance {quoted(utterance.id)}: this utterance id occurs twice")
            ids.add(utterance.id)
            if utterance.label is not None and utterance.label not in self.labels:
                hint = near_miss(utterance.label, self.labels)
                raise InputError(
                    f"{where}, utterance {quoted(utterance.id)}: label {quoted(utterance.label)} is not in the label "
                    f"set{hint}"
                )

    def check_splits(self, known: Container[str]) -> None:
        """Check that splits do not overlap and name known conversations only.

        Raises:
            InputError: See `check`.
        """
        owner: dict[str, str] = {}
        for split, ids in self.splits.items():
            if split not in SPLITS:
                raise InputError(f"{self.name}: split {quoted(split)} is unknown{near_miss(split, SPLITS)}")
            for conversation in ids:
                if conversation not in known:
                    raise InputError(
                        f"{self.name}: split {quoted(split)} names conversation {quoted(conversation)}, which is not "
                        "in the corpus"
                    )
                if conversation in owner:
                    raise InputError(
                        f"{self.name}: conversation {quoted(conversation)} is in the splits "
                        f"{quoted(owner[conversation])} and {quoted(split)}; a conversation can be in one split only"
                    )
                owner[conversation] = split

    def check_tables(self, size: int, *, treat_as_missing: bool) -> None:
        """Check that every feature table has `size` rows of finite values.

        Raises:
            InputError: See `check`.
        """
        for modality in self.features:
            self._check_table(modality, size, treat_as_missing=treat_as_missing)

    def _check_table(self, modality: str, size: int, *, treat_as_missing: bool) -> None:
        table = self.features[modality]
        where = f"{table.source or self.name}: modality {quoted(modality)}"
        if len(table.shape) != 2 or table.shape[1] == 0:
            raise InputError(f"{where}: expected a matrix [utterances, width], got shape {table.shape}")
        if table.shape[0] != size or table.present.shape != (size,):
            raise InputError(f"{where}: {table.shape[0]} rows for {size} utterances")
        present, values, first = table.present.copy(), 0, None
        for rows in row_chunks(table.shape):
            bad = ~np.isfinite(x := table.rows(rows))  # [rows, D]; missing utterances are zero
            if bad.any():
                values += int(bad.sum())
                row, column = np.argwhere(bad)[0].tolist()
                first = first or (rows.start + row, column, x[row, column])
                present[rows] &= ~bad.any(axis=1)
        if first is not None:
            row, column, value = first
            conversation, utterance = self._key(row)
            found = (
                f"{values} NaN or infinite values in {int((table.present & ~present).sum())} utterances, first in "
                f"conversation {quoted(conversation)}, utterance {quoted(utterance)}, column {column} ({value})"
            )
            if not treat_as_missing:
                raise InputError(f"{where}: {found}; give --treat-as-missing to mark these utterances as missing")
            self.notes.append(f"{where}: {found}: marked as missing")
        self.features[modality] = table.with_presence(present)

    def _key(self, row: int) -> UtteranceKey:
        return next(key for number, key in enumerate(self.utterance_keys()) if number == row)


def write_corpus(
    builder: CorpusBuilder, folder: Path, *, overwrite: bool = False, treat_as_missing: bool = False
) -> Corpus:
    """Check a corpus and write it to a folder; the folder appears only when it is complete.

    Conversations and features are written in chunks; features that the builder maps or streams from a file are never
    in memory as a whole.

    Args:
        builder: The corpus, not checked yet.
        folder: The folder to write.
        overwrite: Replace an existing folder.
        treat_as_missing: See `CorpusBuilder.check`.

    Returns:
        The corpus, opened.

    Raises:
        InputError: The corpus is not valid, or the folder exists.
    """
    with atomic_folder(folder, overwrite=overwrite) as temporary:
        _write_folder(builder, temporary, treat_as_missing=treat_as_missing)
    return Corpus.open(folder)


def _write_folder(builder: CorpusBuilder, folder: Path, *, treat_as_missing: bool) -> None:
    """Check a builder and write its files into an empty folder.

    Raises:
        InputError: See `CorpusBuilder.check`; or a modality has an unusable name.
    """
    hashes: dict[str, str] = {}
    index = _write_lines(builder, folder, hashes)
    builder.check_tables(index.size, treat_as_missing=treat_as_missing)
    for modality in builder.features:
        if not re.fullmatch(MODALITY_NAME, modality):
            raise InputError(f"{builder.name}: modality name {modality!r}: use letters, digits and underscores only")
    hashes[INDEX_FILE] = write_tensors(folder / INDEX_FILE, index.tensors())
    for name, table in builder.features.items():
        hashes[f"{name}.safetensors"] = _write_table(folder / f"{name}.safetensors", table)
    header = {
        "format": FORMAT,
        "name": builder.name,
        "labels": builder.labels,
        "speakers": {"mode": builder.speakers.mode, "count": builder.speakers.count, "names": builder.speakers.names},
        "modalities": {
            name: {"width": table.shape[1], "encoder": table.encoder} for name, table in builder.features.items()
        },
        "splits": {split: len(numbers) for split, numbers in index.splits.items()},
        "licence": builder.licence,
        "provenance": builder.provenance,
        "sha256": dict(sorted(hashes.items())),
    }
    (folder / "corpus.json").write_text(json.dumps(header, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_lines(builder: CorpusBuilder, folder: Path, hashes: dict[str, str]) -> Index:
    """Write utterances.jsonl; the conversations and the splits are checked meanwhile."""
    index = IndexBuilder(builder.labels, builder.speakers)
    with HashedFile(folder / UTTERANCES_FILE) as file:
        for conversation in builder.checked_conversations():
            text = "".join(format_lines(conversation)).encode("utf-8")
            file.write(text)
            index.add(conversation, len(text))
    hashes[UTTERANCES_FILE] = file.sha256
    builder.check_splits(index)
    return index.build(folder / INDEX_FILE, builder.splits)


def _write_table(path: Path, table: FeatureTable) -> str:
    features = TensorChunks(np.float32, table.shape, (table.rows(rows) for rows in row_chunks(table.shape)))
    return write_tensors(path, {"features": features, "present": table.present})
