"""Feature files in a corpus folder, whose rows are in the order of this corpus."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.corpus.importers.alignment import Table
from sdt.corpus.importers.scan import FileConversations
from sdt.corpus.store import Corpus
from sdt.errors import InputError, quoted


def is_in_corpus_folder(path: Path) -> bool:
    """Whether a file is in a corpus folder."""
    return (path.parent / "corpus.json").is_file()


def match_corpus_rows(
    table: Table, conversations: FileConversations, notes: list[str]
) -> tuple[Table, npt.NDArray[np.int32]]:
    """Find the rows of utterances in a feature matrix of a corpus folder, by the ids of that corpus.

    Args:
        table: The matrix; its file name is the modality, whose encoder the corpus records.
        conversations: Conversations with N utterances in total.
        notes: Receives a line about the order.

    Returns:
        The table with the name of its encoder; and [N] the row of each utterance.

    Raises:
        InputError: The folder is not a valid corpus, the matrix does not have one row per utterance of the corpus, or
            the corpus lacks some of the given utterances.
    """
    corpus = Corpus.open(table.path.parent)
    if table.size != corpus.size:
        raise InputError(
            f"{table.path}: {table.size} rows, but the corpus in this folder has {corpus.size} utterances; move the "
            "file to another folder if it does not belong to this corpus"
        )
    order = array("i")
    for conversation in conversations:
        own: dict[str, tuple[int, Utterance]] = {}
        if conversation.id in corpus.conversations:
            first = corpus.rows(conversation.id).start
            utterances = corpus.conversations[conversation.id].utterances
            own = {utterance.id: (first + row, utterance) for row, utterance in enumerate(utterances)}
        for position, utterance in enumerate(conversation.utterances):
            row, found = own.get(utterance.id, (None, utterance))
            # A default id is only the position, which can be that of another utterance.
            is_default = utterance.id == str(position)
            if row is None or (is_default and (found.speaker, found.text) != _speaker_text(utterance, found)):
                problem = "not found" if row is None else "has another speaker or text"
                raise InputError(
                    f"{table.path}: utterance {quoted(utterance.id)} of conversation {quoted(conversation.id)}: "
                    f"{problem} in the corpus of this folder; give features of the imported utterances, or move the "
                    "file to another folder if it does not belong to this corpus"
                )
            order.append(row)
    notes.append(f"{table.path}: rows matched by the ids of the corpus in this folder")
    if len(order) < table.size:
        notes.append(f"{table.path}: {table.size - len(order)} rows without an utterance ignored")
    encoder = table.encoder
    if table.path.suffix.lower() == ".safetensors" and table.path.stem in corpus.modalities:
        encoder = corpus.modalities[table.path.stem].encoder
    return replace(table, encoder=encoder), np.array(order, dtype=np.int32)


def _speaker_text(utterance: Utterance, other: Utterance) -> tuple[str, str | None]:
    """The speaker and text of an utterance; the text of the other one if it has none."""
    return utterance.speaker, other.text if utterance.text is None else utterance.text
