"""A corpus in memory, before it is written: what every importer makes, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.errors import InputError, near_miss
from sdt.speakers import Speakers

SPLITS = ("train", "dev", "test")
MODALITY_NAME = r"[A-Za-z][A-Za-z0-9_]*"


@dataclass
class FeatureTable:
    """One modality's features: a row for every utterance of the corpus, in the order of the conversations."""

    features: npt.NDArray[np.float32]
    """[N, D]; rows of missing utterances are zero."""
    present: npt.NDArray[np.bool_]
    """[N]; whether the utterance has this modality."""
    encoder: str
    """The name of the feature encoder with its settings, `minilm` say; `unknown` where nobody knows."""
    source: str = ""
    """Where the values came from (a file name), for error messages and provenance."""


@dataclass
class Draft:
    """A whole corpus in memory.

    Call `check` before it is written; it raises `InputError` in one line for whatever is wrong.
    """

    name: str
    conversations: list[Conversation]
    labels: tuple[str, ...]
    """Label names in the order of their numbers."""
    splits: dict[str, list[str]]
    """Split name (`train`, `dev`, `test`) to conversation ids; a conversation may be in none."""
    features: dict[str, FeatureTable]
    speakers: Speakers
    licence: str = "unknown"
    provenance: dict[str, object] = field(default_factory=dict)
    """How it was made: importer, options, source files with their SHA-256. JSON values only."""
    notes: list[str] = field(default_factory=list)
    """What the importer wants to tell the user (repaired, missing or ignored things), one line each."""

    def places(self) -> Iterator[tuple[str, str]]:
        """(conversation id, utterance id) of each row of the feature tables, in order."""
        for conversation in self.conversations:
            for utterance in conversation.utterances:
                yield conversation.id, utterance.id

    def check(self, *, treat_as_missing: bool = False) -> None:
        """Refuse what cannot be a corpus.

        Args:
            treat_as_missing: Mark utterances whose features hold NaN or infinite values as missing in that modality
                (and add a note) instead of refusing them.

        Raises:
            InputError: Duplicate ids, an empty conversation, a label outside the set, splits that overlap or name
                unknown conversations, a feature table of the wrong size, values that are not finite.
        """
        self._check_conversations()
        self._check_splits()
        places = list(self.places())
        for modality, table in self.features.items():
            self._check_table(modality, table, places, treat_as_missing=treat_as_missing)

    def _check_conversations(self) -> None:
        if not self.conversations:
            raise InputError(f"{self.name}: no conversations found")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise InputError(f"{self.name}: at least two different labels are needed, not {list(self.labels)}")
        seen: set[str] = set()
        for conversation in self.conversations:
            if conversation.id in seen:
                raise InputError(f"{self.name}: conversation id {conversation.id!r} occurs twice")
            seen.add(conversation.id)
            if not conversation.utterances:
                raise InputError(f"{self.name}: conversation {conversation.id!r} has no utterances")
            ids: set[str] = set()
            for utterance in conversation.utterances:
                where = f"{self.name}: conversation {conversation.id!r}, utterance {utterance.id!r}"
                if utterance.id in ids:
                    raise InputError(f"{where}: this utterance id occurs twice in the conversation")
                ids.add(utterance.id)
                if utterance.label is not None and utterance.label not in self.labels:
                    hint = near_miss(utterance.label, self.labels)
                    raise InputError(f"{where}: label {utterance.label!r} is not in the label set{hint}")

    def _check_splits(self) -> None:
        known = {conversation.id for conversation in self.conversations}
        owner: dict[str, str] = {}
        for split, ids in self.splits.items():
            if split not in SPLITS:
                raise InputError(f"{self.name}: split {split!r} is unknown{near_miss(split, SPLITS)}")
            for conversation in ids:
                if conversation not in known:
                    raise InputError(
                        f"{self.name}: split {split!r} names conversation {conversation!r}, which is not in the corpus"
                    )
                if conversation in owner:
                    raise InputError(
                        f"{self.name}: conversation {conversation!r} is in the splits "
                        f"{owner[conversation]!r} and {split!r}; one conversation belongs to one"
                    )
                owner[conversation] = split

    def _check_table(
        self, modality: str, table: FeatureTable, places: list[tuple[str, str]], *, treat_as_missing: bool
    ) -> None:
        where = f"{table.source or self.name}: modality {modality!r}"
        if table.features.ndim != 2 or table.features.shape[1] == 0:
            raise InputError(f"{where}: expected a matrix [utterances, width], got shape {table.features.shape}")
        if len(table.features) != len(places) or table.present.shape != (len(places),):
            raise InputError(f"{where}: {len(table.features)} rows for {len(places)} utterances")
        bad = ~np.isfinite(table.features) & table.present[:, None]  # [N, D]
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            rows = int(bad.any(axis=1).sum())
            conversation, utterance = places[row]
            found = (
                f"{int(bad.sum())} NaN or infinite values in {rows} utterances, the first in conversation "
                f"{conversation!r}, utterance {utterance!r}, column {column} ({table.features[row, column]})"
            )
            if not treat_as_missing:
                raise InputError(f"{where}: {found}; give --treat-as-missing to mark these utterances as missing")
            self.notes.append(f"{where}: {found}: marked as missing")
            table.present = table.present & ~bad.any(axis=1)
        table.features = np.where(table.present[:, None], table.features, 0).astype(np.float32)
