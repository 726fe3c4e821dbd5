"""Z-scores of features, within each conversation or over the training set.

Z-scores within a conversation remove differences between recordings (the level of a microphone, the mixing of an
episode); z-scores over the training set only scale all features alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.selection import HasIds, conversation_lengths
from sdt.errors import InputError, near_miss
from sdt.feature_table import FeatureTable, Read, StreamedTable, row_chunks
from sdt.z_scores import Statistic, moments, streamed_moments, z_scores

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

Normalisation = Literal["conversation", "corpus", "none"]
"""The utterances that mean and standard deviation are computed over; `corpus` is the train split."""


def normalise(builder: CorpusBuilder, choices: Mapping[str, Normalisation]) -> None:
    """Replace features of a corpus by their z-scores: in place, or when they are read.

    Statistics are computed over the utterances that have the modality, with finite values only; other rows do not
    change. A constant feature becomes 0. The name of the encoder records the normalisation: `praat8|z:conversation`.
    Mean and deviation over the train split are stored in the provenance, because new input is scaled by them.

    Args:
        builder: The corpus.
        choices: Modality to `conversation` (mean and deviation of each conversation), `corpus` (of the train split) or
            `none`.

    Raises:
        InputError: The corpus lacks the modality or, for `corpus`, no train utterance has it.
    """
    for modality, how in choices.items():
        if modality not in builder.features:
            raise InputError(
                f"{builder.name}: normalise: unknown modality {modality!r}{near_miss(modality, builder.features)}"
            )
        if how == "none":
            continue
        table = builder.features[modality]
        encoder = f"{table.encoder}|z:{how}"
        usable = _usable(table)
        if how == "conversation":
            bounds = np.concatenate([[0], np.cumsum(conversation_lengths(builder.conversations))])
            builder.features[modality] = table.transform(
                partial(_by_conversation, usable=usable, bounds=bounds), encoder
            )
            continue
        train = usable & _train_rows(builder)
        if not train.any():
            raise InputError(
                f"{builder.name}: normalise: {modality}=corpus requires train utterances with this modality; found none"
            )
        mean, deviation = _moments_of(table, train)
        change = partial(_by_corpus, usable=usable, mean=mean, deviation=deviation)
        builder.features[modality] = table.transform(change, encoder)
        kept = builder.provenance.setdefault("normalisation", {})
        assert isinstance(kept, dict)
        kept[modality] = {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _usable(table: FeatureTable) -> Mask:
    """[N] whether each utterance has the modality, with finite values only."""
    usable = table.present.copy()
    for rows in row_chunks(table.shape):
        usable[rows] &= np.isfinite(table.rows(rows)).all(axis=1)
    return usable


def _train_rows(builder: CorpusBuilder) -> Mask:
    """[N] whether each utterance is in the train split."""
    train = set(builder.splits.get("train", ()))
    ids = (
        builder.conversations.ids
        if isinstance(builder.conversations, HasIds)
        else (c.id for c in builder.conversations)
    )
    return np.repeat([id in train for id in ids], conversation_lengths(builder.conversations))


def _by_conversation(read: Read, *, usable: Mask, bounds: npt.NDArray[np.int64]) -> Read:
    """Z-scores within each conversation; `bounds` [K + 1] are the first rows of the conversations."""

    def scaled(rows: slice) -> Matrix:
        first = int(np.searchsorted(bounds, rows.start, side="right")) - 1
        last = int(np.searchsorted(bounds, rows.stop, side="left"))
        begin = int(bounds[first])
        x = read(slice(begin, int(bounds[last]))).copy()  # whole conversations
        for start, end in itertools.pairwise(bounds[first : last + 1].tolist()):
            of = start - begin + np.flatnonzero(usable[start:end])
            if len(of):
                x[of] = z_scores(x[of], *moments(x[of]))
        return x[rows.start - begin : rows.stop - begin]

    return scaled


def _by_corpus(read: Read, *, usable: Mask, mean: Statistic, deviation: Statistic) -> Read:
    """Z-scores with the given statistics."""

    def scaled(rows: slice) -> Matrix:
        x = read(rows).copy()
        x[usable[rows]] = z_scores(x[usable[rows]], mean, deviation)
        return x

    return scaled


def _moments_of(table: FeatureTable, selected: Mask) -> tuple[Statistic, Statistic]:
    """Mean and deviation of the selected rows, in one pass."""
    if not isinstance(table, StreamedTable):
        return moments(table.features[selected])
    return streamed_moments(table.rows(rows)[selected[rows]] for rows in row_chunks(table.shape))
