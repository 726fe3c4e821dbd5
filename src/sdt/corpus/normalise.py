"""Z-scores of features, within each conversation or over the corpus.

Within the conversation they take away what differs between recordings (a microphone's level, an episode's mixing);
over the corpus they only bring all features to one scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sdt.corpus.draft import Draft, FeatureTable
from sdt.errors import InputError, near_miss

if TYPE_CHECKING:
    from sdt.corpus.importers.options import Normalisation  # the importers import this module


def normalise(draft: Draft, choices: Mapping[str, Normalisation]) -> None:
    """Replace features of a draft by their z-scores, in place.

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
        usable = table.present & np.isfinite(table.features).all(axis=1)  # [N]
        if how == "conversation":
            first = 0
            for conversation in draft.conversations:
                rows = np.arange(first, first + len(conversation))
                first += len(conversation)
                chosen = rows[usable[rows]]
                if len(chosen):
                    table.features[chosen] = z_scores(table.features[chosen], *moments(table.features[chosen]))
        else:
            train = usable & _train_rows(draft)
            if not train.any():
                raise InputError(
                    f"{draft.name}: normalise: {modality}=corpus needs utterances of the train split that have "
                    f"{modality!r}, and there are none"
                )
            mean, deviation = moments(table.features[train])
            table.features[usable] = z_scores(table.features[usable], mean, deviation)
            kept = draft.provenance.setdefault("normalisation", {})
            assert isinstance(kept, dict)
            kept[modality] = {"mean": mean.tolist(), "deviation": deviation.tolist()}
        draft.features[modality] = FeatureTable(
            table.features, table.present, f"{table.encoder}|z:{how}", source=table.source
        )


def _train_rows(draft: Draft) -> npt.NDArray[np.bool_]:
    """[N]; whether each utterance is in the train split."""
    train = set(draft.splits.get("train", ()))
    return np.array([c.id in train for c in draft.conversations for _ in c.utterances], dtype=np.bool_)


def moments(x: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean [D] and deviation [D] of some rows [n, D]."""
    wide = x.astype(np.float64)
    deviation = wide.std(axis=0)
    # Equal values can differ from their rounded mean in the last place: that is no deviation.
    deviation[(wide == wide[0]).all(axis=0)] = 0
    return wide.mean(axis=0), deviation


def z_scores(
    x: npt.NDArray[np.float32], mean: npt.NDArray[np.float64], deviation: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """(x - mean) / deviation [n, D]; 0 where the deviation is 0."""
    scaled = np.divide(x - mean, deviation, out=np.zeros(x.shape), where=deviation > 0)
    return scaled.astype(np.float32)
