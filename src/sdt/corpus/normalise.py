"""Z-scores of features, within each conversation or over the corpus.

Within the conversation they take away what differs between recordings (a microphone's level, an episode's mixing);
over the corpus they only bring all features to one scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from sdt.corpus.draft import Draft
from sdt.corpus.lengths import Named, lengths_of
from sdt.errors import InputError, near_miss
from sdt.feature_table import FeatureTable, Read, StreamedTable, row_pieces

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Statistic = npt.NDArray[np.float64]
"""[D]."""

Normalisation = Literal["conversation", "corpus", "none"]
"""What the mean and the deviation of a feature are taken over; the corpus means its train split."""


def normalise(draft: Draft, choices: Mapping[str, Normalisation]) -> None:
    """Replace features of a draft by their z-scores: in place, or while they are read.

    Statistics are taken over utterances that have the modality, with finite values only; other rows stay as they are.
    A feature that does not vary becomes 0. The encoder's name then says what was done: `praat8|z:conversation`; the
    mean and deviation over the corpus are kept in the provenance, because new input needs them.

    Args:
        draft: The corpus.
        choices: Modality to `conversation` (mean and deviation of each conversation by itself), `corpus` (of the train
            split) or `none`.

    Raises:
        InputError: The draft lacks such a modality or, for `corpus`, no train utterance has it.
    """
    for modality, how in choices.items():
        if modality not in draft.features:
            raise InputError(
                f"{draft.name}: normalise: there is no modality {modality!r}{near_miss(modality, draft.features)}"
            )
        if how == "none":
            continue
        table = draft.features[modality]
        encoder = f"{table.encoder}|z:{how}"
        usable = _usable(table)
        if how == "conversation":
            bounds = np.concatenate([[0], np.cumsum(lengths_of(draft.conversations))])
            draft.features[modality] = table.changed(partial(_by_conversation, usable=usable, bounds=bounds), encoder)
            continue
        train = usable & _train_rows(draft)
        if not train.any():
            raise InputError(
                f"{draft.name}: normalise: {modality}=corpus needs utterances of the train split that have "
                f"{modality!r}, and there are none"
            )
        mean, deviation = _moments_of(table, train)
        change = partial(_by_corpus, usable=usable, mean=mean, deviation=deviation)
        draft.features[modality] = table.changed(change, encoder)
        kept = draft.provenance.setdefault("normalisation", {})
        assert isinstance(kept, dict)
        kept[modality] = {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _usable(table: FeatureTable) -> Mask:
    """[N]; whether each utterance has the modality, with finite values only."""
    usable = table.present.copy()
    for rows in row_pieces(table.shape):
        usable[rows] &= np.isfinite(table.rows(rows)).all(axis=1)
    return usable


def _train_rows(draft: Draft) -> Mask:
    """[N]; whether each utterance is in the train split."""
    train = set(draft.splits.get("train", ()))
    ids = draft.conversations.ids if isinstance(draft.conversations, Named) else (c.id for c in draft.conversations)
    return np.repeat([id in train for id in ids], lengths_of(draft.conversations))


def _by_conversation(read: Read, *, usable: Mask, bounds: npt.NDArray[np.int64]) -> Read:
    """Z-scores within each conversation; they lie between `bounds` [K + 1]."""

    def scaled(rows: slice) -> Matrix:
        first = int(np.searchsorted(bounds, rows.start, side="right")) - 1
        last = int(np.searchsorted(bounds, rows.stop, side="left"))
        begin = int(bounds[first])
        x = read(slice(begin, int(bounds[last]))).copy()  # whole conversations
        for start, end in itertools.pairwise(bounds[first : last + 1].tolist()):
            chosen = start - begin + np.flatnonzero(usable[start:end])
            if len(chosen):
                x[chosen] = z_scores(x[chosen], *moments(x[chosen]))
        return x[rows.start - begin : rows.stop - begin]

    return scaled


def _by_corpus(read: Read, *, usable: Mask, mean: Statistic, deviation: Statistic) -> Read:
    """Z-scores by given statistics."""

    def scaled(rows: slice) -> Matrix:
        x = read(rows).copy()
        x[usable[rows]] = z_scores(x[usable[rows]], mean, deviation)
        return x

    return scaled


def _moments_of(table: FeatureTable, chosen: Mask) -> tuple[Statistic, Statistic]:
    """Mean and deviation of the chosen rows, each read once."""
    if not isinstance(table, StreamedTable):
        return moments(table.features[chosen])
    return streamed_moments(table.rows(rows)[chosen[rows]] for rows in row_pieces(table.shape))


def moments(x: Matrix) -> tuple[Statistic, Statistic]:
    """Mean [D] and deviation [D] of some rows [n, D]."""
    return streamed_moments([x])


def streamed_moments(parts: Iterable[Matrix]) -> tuple[Statistic, Statistic]:
    """Mean [D] and deviation [D] of the rows of several matrices [n, D], at least one row in all.

    Computed in one pass in double precision: the mean and the sum of squared differences from it, joined part by part.

    References:
        Chan, Golub, LeVeque: "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """
    size, mean, squares = 0, np.zeros(1), np.zeros(1)
    first, varies = None, np.zeros(1, dtype=np.bool_)
    for part in parts:
        if not len(part):
            continue
        wide = part.astype(np.float64)
        first = wide[0] if first is None else first
        varies = varies | (wide != first).any(axis=0)
        of_part = wide.mean(axis=0)
        of_squares = ((wide - of_part) ** 2).sum(axis=0)
        if size == 0:
            size, mean, squares = len(wide), of_part, of_squares
            continue
        total = size + len(wide)
        gap = of_part - mean
        mean = mean + gap * (len(wide) / total)
        squares = squares + of_squares + gap**2 * (size * len(wide) / total)
        size = total
    deviation = np.sqrt(squares / size)
    # Equal values can differ from their rounded mean in the last place: that is no deviation.
    deviation[~varies] = 0
    return mean, deviation


def z_scores(x: Matrix, mean: Statistic, deviation: Statistic) -> Matrix:
    """(x - mean) / deviation [n, D]; 0 where the deviation is 0."""
    scaled = np.divide(x - mean, deviation, out=np.zeros(x.shape), where=deviation > 0)
    return scaled.astype(np.float32)
