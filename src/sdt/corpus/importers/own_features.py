"""Feature files in a corpus folder, whose rows are in the order of this corpus."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.corpus.importers.alignment import Table
from sdt.corpus.importers.survey import FileConversations
from sdt.corpus.store import Corpus
from sdt.errors import InputError, quoted


def is_of_corpus(path: Path) -> bool:
    """Whether a file is in a corpus folder."""
    return (path.parent / "corpus.json").is_file()


def in_order_of(
    table: Table, conversations: FileConversations, notes: list[str]
) -> tuple[Table, npt.NDArray[np.int32]]:
    """Find the rows of utterances in a matrix of a corpus folder, by the ids of that corpus.

    Args:
        table: The matrix; its name tells the encoder.
        conversations: The utterances, N in all.
        notes: Receives a line about the order.

    Returns:
        The table with the name of its encoder; and [N] the row of each utterance.

    Raises:
        InputError: The folder is no valid corpus, the matrix has not a row for each of its utterances, or it has not
            all of the given utterances.
    """
    corpus = Corpus.open(table.path.parent)
    if table.size != corpus.size:
        raise InputError(
            f"{table.path}: {table.size} rows, but the corpus in this folder has {corpus.size} utterances; move the "
            "file elsewhere if it is not that corpus' own"
        )
    order = array("i")
    for conversation in conversations:
        own: dict[str, tuple[int, Utterance]] = {}
        if conversation.id in corpus.conversations:
            first = corpus.rows(conversation.id).start
            utterances = corpus.conversations[conversation.id].utterances
            own = {utterance.id: (first + place, utterance) for place, utterance in enumerate(utterances)}
        for place, utterance in enumerate(conversation.utterances):
            row, found = own.get(utterance.id, (None, utterance))
            # An id that is the utterance's number comes from the order, which may be another one.
            if row is None or (utterance.id == str(place) and (found.speaker, found.text) != _said(utterance, found)):
                other = "no" if row is None else "other words of"
                raise InputError(
                    f"{table.path}: the corpus in this folder has {other} utterance {quoted(utterance.id)} of "
                    f"conversation {quoted(conversation.id)}; give features of these utterances, or move the file "
                    "elsewhere if it is not that corpus' own"
                )
            order.append(row)
    notes.append(f"{table.path}: rows found by the ids of the corpus in this folder")
    if len(order) < table.size:
        notes.append(f"{table.path}: {table.size - len(order)} rows are of no utterance")
    encoder = table.encoder
    if table.path.suffix.lower() == ".safetensors" and table.path.stem in corpus.modalities:
        encoder = corpus.modalities[table.path.stem].encoder
    return replace(table, encoder=encoder), np.array(order, dtype=np.int32)


def _said(utterance: Utterance, instead: Utterance) -> tuple[str, str | None]:
    """Who speaks and what is said; the words of another utterance where there are none."""
    return utterance.speaker, instead.text if utterance.text is None else utterance.text
