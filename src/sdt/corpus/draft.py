"""A corpus before it is written: what every importer makes, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdt.conversation import MOST_LABELS, Conversation
from sdt.errors import InputError, listed, near_miss, quoted
from sdt.feature_table import FeatureTable, row_pieces
from sdt.speakers import Speakers
from sdt.splits import SPLITS
from sdt.text import check_names

MODALITY_NAME = r"[A-Za-z][A-Za-z0-9_]*"


@dataclass
class Draft:
    """A whole corpus, its parts in memory or read from other files piece by piece.

    Call `check` before it is used; it raises `InputError` in one line for whatever is wrong. `write_corpus` calls it.
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
            InputError: Duplicate ids, names with control characters, an empty conversation, a label outside the set,
                splits that overlap or name unknown conversations, a feature table of the wrong size, values that are
                not finite.
        """
        known = {conversation.id for conversation in self.checked_conversations()}
        self.check_splits(known)
        self.check_tables(sum(map(len, self.conversations)), treat_as_missing=treat_as_missing)

    def checked_conversations(self) -> Iterator[Conversation]:
        """The conversations, each of them once it is checked.

        Raises:
            InputError: See `check`.
        """
        if not self.conversations:
            raise InputError(f"{self.name}: no conversations found")
        if not 1 < len(set(self.labels)) == len(self.labels) <= MOST_LABELS:
            raise InputError(
                f"{self.name}: 2 to {MOST_LABELS} different labels are needed, not {len(self.labels)}: "
                f"{listed(self.labels)}"
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
        place = f"{self.name}: conversation {quoted(conversation.id)}"
        check_names(f"{place}, utterance id", (utterance.id for utterance in conversation.utterances))
        check_names(f"{place}, speaker", {utterance.speaker for utterance in conversation.utterances})
        for utterance in conversation.utterances:
            if utterance.id in ids:
                raise InputError(
                    f"{self.name}: conversation {quoted(conversation.id)}, utterance {quoted(utterance.id)}: this "
                    "utterance id occurs twice in the conversation"
                )
            ids.add(utterance.id)
            if utterance.label is not None and utterance.label not in self.labels:
                hint = near_miss(utterance.label, self.labels)
                raise InputError(
                    f"{self.name}: conversation {quoted(conversation.id)}, utterance {quoted(utterance.id)}: label "
                    f"{quoted(utterance.label)} is not in the label set{hint}"
                )

    def check_splits(self, known: Container[str]) -> None:
        """Refuse splits that overlap or name other conversations than the known ones.

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
                        f"{quoted(owner[conversation])} and {quoted(split)}; one conversation belongs to one"
                    )
                owner[conversation] = split

    def check_tables(self, size: int, *, treat_as_missing: bool) -> None:
        """Refuse feature tables that are not of `size` utterances, or hold values that are not finite.

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
        for rows in row_pieces(table.shape):
            bad = ~np.isfinite(x := table.rows(rows))  # [rows, D]; what is missing is zero
            if bad.any():
                values += int(bad.sum())
                row, column = np.argwhere(bad)[0].tolist()
                first = first or (rows.start + row, column, x[row, column])
                present[rows] &= ~bad.any(axis=1)
        if first is not None:
            row, column, value = first
            conversation, utterance = self._place(row)
            found = (
                f"{values} NaN or infinite values in {int((table.present & ~present).sum())} utterances, the first in "
                f"conversation {quoted(conversation)}, utterance {quoted(utterance)}, column {column} ({value})"
            )
            if not treat_as_missing:
                raise InputError(f"{where}: {found}; give --treat-as-missing to mark these utterances as missing")
            self.notes.append(f"{where}: {found}: marked as missing")
        self.features[modality] = table.marked(present)

    def _place(self, row: int) -> tuple[str, str]:
        return next(place for number, place in enumerate(self.places()) if number == row)
