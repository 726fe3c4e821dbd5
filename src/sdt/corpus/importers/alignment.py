"""A table of features, and how its rows come into the order of the utterances."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.errors import InputError, quoted
from sdt.media.recordings import clip_names

Matrix = npt.NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Table:
    """The content of one file of features."""

    path: Path
    features: npt.NDArray[Any]
    """[rows, D], NaN where a cell is empty: float32 or, where it is mapped, whatever the file holds; see `rows`."""
    keys: tuple[str, ...] | None
    """The key of each row; None where the place of a row says whose it is."""
    places: tuple[str, ...] = ()
    """Where each row with a key stands in the file, for error messages: `line 7`, `key 'dia0_utt0.wav'`."""
    columns: tuple[str, ...] = ()
    """The names of the features, where the file has them."""
    encoder: str = "unknown"
    """The feature encoder that made them, where the file says it."""
    present: npt.NDArray[np.bool_] | None = None
    """[rows], where the file says which are there."""
    ids: tuple[str, ...] | None = None
    """Where there are no keys: numbers that may be the ids of the utterances."""
    shuffled: str = ""
    """The column that numbers the rows or utterances in another order than they are in, if there is one."""
    header: str = ""
    """The numbers that were taken for a header, if there were some."""
    lengths: Mapping[str, int] = field(default_factory=dict)
    """Conversation to its number of rows, where the keys are `conversation[number]`."""
    notes: tuple[str, ...] = ()
    """How the file was understood, one line each."""

    def rows(self, rows: slice | npt.NDArray[np.int32]) -> Matrix:
        """Some rows in float32; NaN where the file says that they are missing."""
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such later
            x: Matrix = self.features[rows].astype(np.float32, copy=self.present is not None)
        if self.present is not None:
            x[~self.present[rows]] = np.nan
        return x

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.features)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return int(self.features.shape[1])


def align(
    table: Table, wanted: Sequence[Key], meaning: Callable[[str], Key | None]
) -> tuple[Matrix, npt.NDArray[np.bool_], list[str]]:
    """Bring the rows of a keyed table into the order of the utterances.

    Args:
        table: A table with keys.
        wanted: The key of each of N utterances.
        meaning: From the text of a key to the key of an utterance; None where it cannot be one.

    Returns:
        Features [N, D]; presence [N], false where the table has no row or one of NaN only; and the texts of the keys
        that are no utterance's.

    Raises:
        InputError: Two rows with different values have the same key.
    """
    assert table.keys is not None
    row_of: dict[Key, int] = {}
    unused: list[str] = []
    known = set(wanted)
    for row, text in enumerate(table.keys):
        key = meaning(text)
        if key is None or key not in known:
            unused.append(text)
        elif key not in row_of:
            row_of[key] = row
        elif not np.array_equal(table.features[row], table.features[row_of[key]], equal_nan=True):
            raise InputError(
                f"{table.path}, {table.places[row]}: utterance {quoted(text)} stands already in "
                f"{table.places[row_of[key]]}, with other values"
            )
    features = np.zeros((len(wanted), table.width), dtype=np.float32)
    present = np.array([key in row_of for key in wanted], dtype=np.bool_)
    features[present] = table.features[[row_of[key] for key in wanted if key in row_of]]
    return features, present & ~np.isnan(features).all(axis=1), unused


def name_rows(texts: Iterable[str], conversations: Sequence[Conversation]) -> tuple[list[str], dict[str, str]]:
    """Find out which utterances the keys of a table name.

    Args:
        texts: The keys: `conversation/utterance`; or what the clip of the utterance may be called, see
            `sdt.media.recordings`; or `conversation[number]`, from 0; a path before it and a suffix do not matter.
        conversations: The utterances. A name that several of them could have names none.

    Returns:
        `conversation/utterance` of each utterance, in order; and text to that of the utterance that it names.
    """
    keys = [
        f"{conversation.id}/{utterance.id}" for conversation in conversations for utterance in conversation.utterances
    ]
    known = set(keys)
    spellings = {text: _spellings(text) for text in texts if text not in known}
    wanted = {name for names in spellings.values() for name in names}
    owners: dict[str, set[str]] = {}
    for conversation in conversations if wanted else ():
        for place, utterance in enumerate(conversation.utterances):
            known_as = {*clip_names(conversation.id, utterance, unique=True), f"{conversation.id}[{place}]"}
            if len(conversation) == 1:
                known_as.add(conversation.id)
            for name in known_as & wanted:
                owners.setdefault(name, set()).add(f"{conversation.id}/{utterance.id}")
    meanings = {key: key for key in keys}
    for text, names in spellings.items():
        found = next((owners[name] for name in names if name in owners), set())
        if len(found) == 1:
            meanings[text] = next(iter(found))
    return keys, meanings


def _spellings(text: str) -> list[str]:
    """A text as it is, without its suffix, and without the folders before it, too."""
    text = text.strip("'\" ").replace("\\", "/")  # openSMILE writes quotation marks
    bare = re.sub(r"\.[A-Za-z]\w{1,4}$", "", text)
    return [text] if bare == text else [text, bare, PurePosixPath(bare).name]
