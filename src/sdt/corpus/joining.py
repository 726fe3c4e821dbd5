"""Join corpora to one: the first one with further conversations to train on, such as those of another series.

The joined corpus has the labels of the first one. A label of another corpus that it does not have is renamed, or its
utterances are context without a label. Only the train conversations of the others are taken, so that dev and test
remain those of the first; without scenes that dev or test of the first contains, see `overlap`. Features are those that
the first one has: another corpus has a modality if its encoder is the same, and lacks it otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.overlap import overlap
from sdt.corpus.store import Corpus
from sdt.errors import InputError, join_names, quoted
from sdt.feature_table import FeatureTable, StreamedTable
from sdt.speakers import Speakers


def join(
    corpora: Sequence[Corpus], rename: Mapping[str, str], name: str | None = None, *, with_dev: bool = False
) -> CorpusBuilder:
    """Join corpora.

    Args:
        corpora: At least two; conversations of the others are called `NAME/ID` after their corpus.
        rename: Label of another corpus to the label of the first one.
        name: The name of the joined corpus; None for those of the corpora with plus signs.
        with_dev: Whether the dev conversations of the others are added to dev, so that the epoch is selected on both.

    Raises:
        InputError: Another corpus has no train split, no label or no modality in common, or the name of one before it;
            or `rename` has a label that no other corpus has, or a new name that the first corpus does not have.
    """
    first, *others = corpora
    _check_names(corpora, rename)
    conversations: list[Conversation] = list(first.all_conversations())
    splits = {split: list(ids) for split, ids in first.splits.items()}
    notes: list[str] = []
    taken: list[tuple[Corpus, list[str]]] = [(first, [one.id for one in conversations])]
    for number, other in enumerate(others, start=1):
        if not other.splits.get("train"):
            raise InputError(f"{other.folder}: has no train split, of which conversations could be taken")
        known = overlap(corpora, number)
        found = [one for one in other.split("train") if any((one.id, of.id) not in known for of in one.utterances)]
        size = len(found)
        if with_dev and other.splits.get("dev"):
            found += other.split("dev")
        if known:
            notes.append(f"{other.name}: {len(known)} utterances not learnt, found in dev or test of others")
        own = [_renamed(one, other.name, rename, first.labels, known) for one in found]
        counts = Counter(utterance.label for one in own for utterance in one.utterances)
        if not any(counts[label] for label in first.labels):
            raise InputError(
                f"{other.folder}: none of its labels ({join_names(other.labels)}) is a label of {first.name}; rename "
                "them with --rename"
            )
        lost = [label for label in other.labels if rename.get(label, label) not in first.labels]
        if lost:
            notes.append(f"{other.name}: context only, without a label: utterances with {join_names(lost)}")
        conversations += own
        splits.setdefault("train", []).extend(one.id for one in own[:size])
        splits.setdefault("dev", []).extend(one.id for one in own[size:])
        taken.append((other, [one.id for one in found]))
    features = {modality: _table(modality, taken, notes) for modality in first.modalities}
    for other, ids in taken[1:]:
        if not any(_same_encoder(first, other, modality) for modality in first.modalities):
            raise InputError(f"{other.folder}: has no modality with the encoder of {first.name}; import both alike")
        notes.append(f"{other.name}: {len(ids)} conversations added")
    return CorpusBuilder(
        name or "+".join(one.name for one in corpora),
        conversations,
        first.labels,
        {split: ids for split, ids in splits.items() if ids},
        features,
        Speakers.from_conversations(conversations, first.speakers.mode),
        " and ".join(dict.fromkeys(one.licence for one in corpora)),
        {"joined": [{"name": one.name, "sha256": one.fingerprint} for one in corpora], "rename": dict(rename)},
        notes,
    )


def _check_names(corpora: Sequence[Corpus], rename: Mapping[str, str]) -> None:
    names = [one.name for one in corpora]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of the corpora are called {quoted(repeated)}; import one with another --name")
    known = {label for one in corpora[1:] for label in one.labels}
    for old, new in rename.items():
        if old not in known:
            raise InputError(f"--rename {old}={new}: no other corpus has the label {quoted(old)}")
        if new not in corpora[0].labels:
            raise InputError(f"--rename {old}={new}: {corpora[0].name} has no label {quoted(new)}")


def _renamed(
    one: Conversation,
    corpus: str,
    rename: Mapping[str, str],
    labels: Sequence[str],
    without: Container[tuple[str, str]],
) -> Conversation:
    """A conversation with the labels of the first corpus, and without those of some utterances."""
    utterances = []
    for utterance in one.utterances:
        label = rename.get(utterance.label or "", utterance.label or "")
        kept = label in labels and (one.id, utterance.id) not in without
        utterances.append(replace(utterance, label=label if kept else None))
    return replace(one, id=f"{corpus}/{one.id}", utterances=tuple(utterances))


def _same_encoder(first: Corpus, other: Corpus, modality: str) -> bool:
    has = other.modalities.get(modality)
    return has is not None and has.encoder == first.modalities[modality].encoder


def _table(modality: str, taken: Sequence[tuple[Corpus, list[str]]], notes: list[str]) -> FeatureTable:
    """The features of a modality, read when they are written; missing where a corpus has another encoder."""
    first = taken[0][0]
    width, encoder = first.modalities[modality].width, first.modalities[modality].encoder
    mapped, row, present = list[npt.NDArray[np.float32] | None](), [], []  # of every corpus: [n, D], [n], [n]
    for corpus, ids in taken:
        ranges = [corpus.rows(id) for id in ids]
        row.append(np.concatenate([np.arange(of.start, of.stop) for of in ranges]))
        if _same_encoder(first, corpus, modality):
            of = corpus.modalities[modality]
            mapped.append(of.rows(slice(None)))
            present.append(of.present[row[-1]])
        else:
            notes.append(f"{corpus.name}: lacks {modality} of the encoder {encoder}")
            mapped.append(None)
            present.append(np.zeros(len(row[-1]), np.bool_))
    end = np.cumsum([0, *map(len, row)])

    def read(rows: slice) -> npt.NDArray[np.float32]:
        x = np.zeros((rows.stop - rows.start, width), np.float32)
        for features, own, low, high in zip(mapped, row, end[:-1], end[1:], strict=True):
            start, stop = max(rows.start, low), min(rows.stop, high)
            if features is not None and start < stop:
                x[start - rows.start : stop - rows.start] = features[own[start - low : stop - low]]
        return x

    return StreamedTable(read, (int(end[-1]), width), np.concatenate(present), encoder)
