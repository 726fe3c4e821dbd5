"""Whether a corpus on disk is what it says: every file, every line, every value; read in row_pieces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sdt.corpus.conversations import Conversations
from sdt.corpus.index import Index
from sdt.corpus.modality import Modality
from sdt.errors import InputError, quoted
from sdt.feature_table import row_pieces
from sdt.files import sha256
from sdt.speakers import Speakers


def check_files(folder: Path, hashes: Mapping[str, str]) -> None:
    """Compare every file with its SHA-256.

    Raises:
        InputError: One is missing or another.
    """
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing; import the corpus again")
        if sha256(path) != expected:
            raise InputError(
                f"{path}: its SHA-256 is not the one in corpus.json: the file was changed or damaged; "
                "import the corpus again"
            )


def check_lines(conversations: Conversations, speakers: Speakers) -> None:
    """Read every conversation and compare it with what the index says.

    Raises:
        InputError: A line is damaged, or says something else; or two utterances of a conversation have the same id.
    """
    index = conversations.index
    for number in range(len(conversations)):
        found, rows = conversations.read(number), index.rows(number)
        line = rows.start + 1
        if speakers.numbers(found) != index.speaker[rows].tolist():
            raise conversations.does_not_fit(line, f"other speakers in {quoted(found.id)}")
        if len({utterance.id for utterance in found.utterances}) < len(found):
            raise InputError(
                f"{conversations.path}, line {line}: two utterances of conversation {quoted(found.id)} have the same "
                "id; import the corpus again"
            )


def check_features(modality: Modality, index: Index) -> None:
    """Check that a feature file has a row of finite values for every utterance.

    Raises:
        InputError: Says which it has instead.
    """
    shapes = modality.present.shape, modality.shape
    if shapes != ((index.size,), (index.size, modality.width)):
        raise InputError(
            f"{modality.path}: its shape {modality.shape} does not fit {index.size} utterances of width "
            f"{modality.width}; import the corpus again"
        )
    for rows in row_pieces(modality.shape):
        finite = np.isfinite(modality.rows(rows)).all(axis=1)
        if not finite.all():
            conversation = index.id(index.place(rows.start + int(finite.argmin())))
            raise InputError(
                f"{modality.path}: NaN or infinite values in conversation {quoted(conversation)}; import the "
                "corpus again"
            )
