"""What is in a corpus, in numbers."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

from sdt.corpus.store import Corpus


def summarise(corpus: Corpus) -> dict[str, Any]:
    """Count what a corpus holds; JSON values only.

    Returns:
        `name`, `licence`, `provenance`, `speakers` (mode and count), `splits` (conversations, utterances, unlabelled
        and how often each label occurs; `none` holds the conversations outside of all splits, if there are any),
        `modalities` (width, encoder, missing share in all and by split) and `lengths` (utterances of a conversation:
        min, median, max).
    """
    assigned = {conversation for ids in corpus.splits.values() for conversation in ids}
    rest = [conversation for conversation in corpus.conversations if conversation not in assigned]
    splits = {**corpus.splits, **({"none": tuple(rest)} if rest else {})}
    lengths = [len(conversation) for conversation in corpus.conversations.values()]
    return {
        "name": corpus.name,
        "folder": str(corpus.folder),
        "conversations": len(lengths),
        "utterances": corpus.size,
        "labels": list(corpus.labels),
        "splits": {split: _split(corpus, ids) for split, ids in splits.items()},
        "speakers": {"mode": corpus.speakers.mode, "count": corpus.speakers.count},
        "modalities": {name: _modality(corpus, name, splits) for name in corpus.modalities},
        "lengths": {"min": min(lengths), "median": statistics.median(lengths), "max": max(lengths)},
        "licence": corpus.licence,
        "provenance": corpus.provenance,
    }


def _split(corpus: Corpus, ids: tuple[str, ...]) -> dict[str, Any]:
    found = Counter(utterance.label for id in ids for utterance in corpus.conversations[id].utterances)
    return {
        "conversations": len(ids),
        "utterances": sum(found.values()),
        "labels": {label: found[label] for label in corpus.labels},
        "unlabelled": found[None],
    }


def _modality(corpus: Corpus, name: str, splits: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    modality = corpus.modalities[name]
    missing = {
        split: sum(int((~modality.present[corpus.rows(id)]).sum()) for id in ids)
        / max(1, sum(len(corpus.conversations[id]) for id in ids))
        for split, ids in splits.items()
    }
    return {
        "width": modality.width,
        "encoder": modality.encoder,
        "missing": float((~modality.present).mean()),
        "missing_by_split": missing,
    }
