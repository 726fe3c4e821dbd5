"""The files of a corpus folder, written in a stream; and the index of a folder that was written without one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.corpus import index as index_file
from sdt.corpus import utterance_lines
from sdt.corpus.draft import MODALITY_NAME, Draft
from sdt.corpus.header import FORMAT
from sdt.corpus.index import Index
from sdt.corpus.index_builder import IndexBuilder
from sdt.corpus.tensors import HashedFile, Pieces, write_tensors
from sdt.corpus.utterance_lines import lines_of, utterance_of
from sdt.errors import InputError
from sdt.feature_table import FeatureTable, row_pieces
from sdt.speakers import Speakers


def write_folder(draft: Draft, folder: Path, *, treat_as_missing: bool) -> None:
    """Check a draft and write its files into an empty folder.

    Raises:
        InputError: See `Draft.check`; or a modality has an unusable name.
    """
    hashes: dict[str, str] = {}
    index = _write_lines(draft, folder, hashes)
    draft.check_tables(index.size, treat_as_missing=treat_as_missing)
    for modality in draft.features:
        if not re.fullmatch(MODALITY_NAME, modality):
            raise InputError(f"{draft.name}: modality name {modality!r}: use letters, digits and underscores only")
    hashes[index_file.FILE] = write_tensors(folder / index_file.FILE, index.tensors())
    for name, table in draft.features.items():
        hashes[f"{name}.safetensors"] = _write_table(folder / f"{name}.safetensors", table)
    header = {
        "format": FORMAT,
        "name": draft.name,
        "labels": draft.labels,
        "speakers": {"mode": draft.speakers.mode, "count": draft.speakers.count, "names": draft.speakers.names},
        "modalities": {
            name: {"width": table.shape[1], "encoder": table.encoder} for name, table in draft.features.items()
        },
        "splits": {split: len(numbers) for split, numbers in index.splits.items()},
        "licence": draft.licence,
        "provenance": draft.provenance,
        "sha256": dict(sorted(hashes.items())),
    }
    (folder / "corpus.json").write_text(json.dumps(header, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_lines(draft: Draft, folder: Path, hashes: dict[str, str]) -> Index:
    """Write utterances.jsonl; the conversations and the splits are checked meanwhile."""
    builder = IndexBuilder(draft.labels, draft.speakers)
    with HashedFile(folder / utterance_lines.FILE) as file:
        for conversation in draft.checked_conversations():
            text = "".join(lines_of(conversation)).encode("utf-8")
            file.write(text)
            builder.add(conversation, len(text))
    hashes[utterance_lines.FILE] = file.sha256
    draft.check_splits(builder)
    return builder.index(folder / index_file.FILE, draft.splits)


def _write_table(path: Path, table: FeatureTable) -> str:
    features = Pieces(np.float32, table.shape, (table.rows(rows) for rows in row_pieces(table.shape)))
    return write_tensors(path, {"features": features, "present": table.present})


def index_of_lines(path: Path, labels: Sequence[str], speakers: Speakers, splits: Mapping[str, Sequence[str]]) -> Index:
    """The index of a corpus of format 1, in memory.

    Args:
        path: utterances.jsonl; the lines of a conversation stand together.
        labels: The corpus' label names.
        speakers: Its numbering of the speakers.
        splits: The conversations of the splits.

    Raises:
        InputError: A line is damaged, a conversation stands in two places, or a split names an unknown one.
    """
    builder = IndexBuilder(labels, speakers)
    for line, size, conversation in _conversations(path, labels):
        if conversation.id in builder:
            raise InputError(
                f"{path}, line {line}: conversation {conversation.id!r} began further up; import the corpus again"
            )
        builder.add(conversation, size)
    for split, ids in splits.items():
        for id in ids:
            if id not in builder:
                raise InputError(
                    f"{path.parent}: split {split!r} names conversation {id!r}, which is not in {path.name}; import "
                    "the corpus again"
                )
    index = builder.index(path, splits)
    index.check_conversations()
    return index


def _conversations(path: Path, labels: Sequence[str]) -> Iterator[tuple[int, int, Conversation]]:
    """The first line, the bytes and the conversation, one after another."""
    said: list[Utterance] = []
    id, size, first = "", 0, 1
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            conversation, utterance = utterance_of(path, number, text, labels)
            if said and conversation != id:
                yield first, size, Conversation(id, tuple(said))
                said, size, first = [], 0, number
            id, size = conversation, size + len(text)
            said.append(utterance)
    if said:
        yield first, size, Conversation(id, tuple(said))
