"""Feature tables, and the alignment of their rows with utterances."""

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
from sdt.media.recordings import possible_clip_names

Matrix = npt.NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Table:
    """The content of a feature file."""

    path: Path
    features: npt.NDArray[Any]
    """[rows, D], NaN for empty cells: float32 or, if memory-mapped, the type of the file; see `rows`."""
    keys: tuple[str, ...] | None
    """The key of each row; None if rows are in the order of the utterances."""
    locations: tuple[str, ...] = ()
    """The location of each keyed row in the file, for error messages: `line 7`, `key 'dia0_utt0.wav'`."""
    columns: tuple[str, ...] = ()
    """The names of the features, if the file has them."""
    encoder: str = "unknown"
    """The feature encoder, if the file names it."""
    present: npt.NDArray[np.bool_] | None = None
    """[rows] which rows exist, if the file specifies it."""
    ids: tuple[str, ...] | None = None
    """For a table without keys: a column of numbers that can be utterance ids."""
    shuffled: str = ""
    """The column that numbers the rows or utterances in another order, if any."""
    header: str = ""
    """Numbers that were interpreted as a header, if any."""
    lengths: Mapping[str, int] = field(default_factory=dict)
    """Conversation to its number of rows, for keys `conversation[number]`."""
    notes: tuple[str, ...] = ()
    """How the file was interpreted, one line each."""

    def rows(self, rows: slice | npt.NDArray[np.int32]) -> Matrix:
        """Rows as float32; NaN for missing rows."""
        with np.errstate(over="ignore"):  # values that are too large become infinite and are refused later
            x: Matrix = self.features[rows].astype(np.float32, copy=self.present is not None)
        if self.present is not None:
            x[~self.present[rows]] = np.nan
        return x

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.features)

    @property
    def width(self) -> int:
        """D, the number of features."""
        return int(self.features.shape[1])


def align(
    table: Table, wanted: Sequence[Key], parse_key: Callable[[str], Key | None]
) -> tuple[Matrix, npt.NDArray[np.bool_], list[str]]:
    """Align the rows of a keyed table with utterances.

    Args:
        table: A table with keys.
        wanted: The key of each of N utterances.
        parse_key: Maps the text of a key to the key of an utterance, or None.

    Returns:
        Features [N, D]; presence [N], False without a row or for a row of NaN; and the texts of keys without an
        utterance.

    Raises:
        InputError: Two rows with different values have the same key.
    """
    assert table.keys is not None
    row_of: dict[Key, int] = {}
    unused: list[str] = []
    known = set(wanted)
    for row, text in enumerate(table.keys):
        key = parse_key(text)
        if key is None or key not in known:
            unused.append(text)
        elif key not in row_of:
            row_of[key] = row
        elif not np.array_equal(table.features[row], table.features[row_of[key]], equal_nan=True):
            raise InputError(
                f"{table.path}, {table.locations[row]}: duplicate row of utterance {quoted(text)}, with values that "
                f"conflict with {table.locations[row_of[key]]}"
            )
    features = np.zeros((len(wanted), table.width), dtype=np.float32)
    present = np.array([key in row_of for key in wanted], dtype=np.bool_)
    features[present] = table.features[[row_of[key] for key in wanted if key in row_of]]
    return features, present & ~np.isnan(features).all(axis=1), unused


def match_keys(texts: Iterable[str], conversations: Sequence[Conversation]) -> tuple[list[str], dict[str, str]]:
    """Match the keys of a table to utterances.

    Args:
        texts: The keys: `conversation/utterance`, a name of the clip of the utterance (see `sdt.media.recordings`), or
            `conversation[number]`, from 0; a leading path and a suffix are ignored.
        conversations: The utterances. Ambiguous names are ignored.

    Returns:
        `conversation/utterance` of each utterance, in order; and each text to that of the utterance that it names.
    """
    keys = [
        f"{conversation.id}/{utterance.id}" for conversation in conversations for utterance in conversation.utterances
    ]
    known = set(keys)
    spellings = {text: _spellings(text) for text in texts if text not in known}
    wanted = {name for of_text in spellings.values() for name in of_text}
    owners: dict[str, set[str]] = {}
    for conversation in conversations if wanted else ():
        for position, utterance in enumerate(conversation.utterances):
            names = {*possible_clip_names(conversation.id, utterance, unique=True), f"{conversation.id}[{position}]"}
            if len(conversation) == 1:
                names.add(conversation.id)
            for name in names & wanted:
                owners.setdefault(name, set()).add(f"{conversation.id}/{utterance.id}")
    meanings = {key: key for key in keys}
    for text, of_text in spellings.items():
        found = next((owners[name] for name in of_text if name in owners), set())
        if len(found) == 1:
            meanings[text] = next(iter(found))
    return keys, meanings


def _spellings(text: str) -> list[str]:
    """A text unchanged, without its suffix, and without its suffix and folders."""
    text = text.strip("'\" ").replace("\\", "/")  # openSMILE writes quotation marks
    bare = re.sub(r"\.[A-Za-z]\w{1,4}$", "", text)
    return [text] if bare == text else [text, bare, PurePosixPath(bare).name]
