"""Statistics of a corpus, as `sdt corpus show` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sdt.corpus.selection import Selection
from sdt.corpus.store import Corpus, Modality
from sdt.errors import InputError


def summarise(corpus: Corpus) -> dict[str, Any]:
    """Summarise a corpus in JSON values.

    Returns:
        `name`, `licence`, `provenance`, `speakers` (mode and count), `splits` (the numbers of conversations,
        utterances, unlabelled utterances and utterances with each label; `none` stands for conversations outside of
        all splits), `modalities` (width, encoder, share of missing utterances in total and by split) and `lengths`
        (minimum, median and maximum number of utterances per conversation).
    """
    splits = {split: corpus.split(split) for split in corpus.splits}
    outside = np.ones(len(corpus.index), dtype=np.bool_)
    for selection in splits.values():
        outside[selection.numbers] = False
    if outside.any():
        splits["none"] = Selection(corpus.all_conversations().source, np.flatnonzero(outside))
    lengths = corpus.all_conversations().lengths
    return {
        "name": corpus.name,
        "folder": str(corpus.folder),
        "conversations": len(lengths),
        "utterances": corpus.size,
        "labels": list(corpus.labels),
        "splits": {split: _split(corpus, selection) for split, selection in splits.items()},
        "speakers": {"mode": corpus.speakers.mode, "count": corpus.speakers.count},
        "modalities": {name: _modality(corpus, name, splits) for name in corpus.modalities},
        "lengths": {"min": int(lengths.min()), "median": float(np.median(lengths)), "max": int(lengths.max())},
        "licence": corpus.licence,
        "provenance": corpus.provenance,
    }


def _split(corpus: Corpus, selection: Selection) -> dict[str, Any]:
    unlabelled, *counts = selection.label_counts.tolist()
    return {
        "conversations": len(selection),
        "utterances": int(selection.lengths.sum()),
        "labels": dict(zip(corpus.labels, counts, strict=True)),
        "unlabelled": unlabelled,
    }


def _modality(corpus: Corpus, name: str, splits: Mapping[str, Selection]) -> dict[str, Any]:
    modality = corpus.modalities[name]
    if modality.present.shape != (corpus.size,):
        raise InputError(f"{modality.path}: does not fit {corpus.size} utterances; import the corpus again")
    return {
        "width": modality.width,
        "encoder": modality.encoder,
        "missing": int((~modality.present).sum()) / corpus.size,
        "missing_by_split": {split: _missing(modality, selection) for split, selection in splits.items()},
    }


def _missing(modality: Modality, selection: Selection) -> float:
    """The share of utterances without a modality."""
    total = int(selection.lengths.sum())
    return sum(int((~modality.present[rows]).sum()) for rows in selection.blocks()) / max(1, total)
