"""Packed batches: the utterances of several conversations end to end, with no padding.

Shapes: N utterances in the batch, B conversations, D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sdt.batch import Batch, pack
from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.batch_order import batch_order
from sdt.corpus.lengths import lengths_of
from sdt.corpus.selection import Selection, chosen
from sdt.corpus.store import Corpus
from sdt.speakers import Speakers


def corpus_batch(
    corpus: Corpus,
    conversations: Sequence[Conversation],
    *,
    modalities: Sequence[str],
    labels: Sequence[str],
    speakers: Speakers,
) -> Batch:
    """Pack some conversations of a corpus; reads only their rows of the mapped feature files.

    What else a batch holds comes from the index, if the conversations are of one of the corpus' splits and the speakers
    are numbered as in the corpus; then no utterance is read.
    """
    indexed = isinstance(conversations, Selection) and conversations.source is corpus.conversations
    if indexed:
        assert isinstance(conversations, Selection)
        ranges = [corpus.index.rows(number) for number in conversations.numbers.tolist()]
    else:
        ranges = [corpus.rows(conversation.id) for conversation in conversations]
    features = {}
    for name in modalities:
        modality = corpus.modalities[name]
        x = np.concatenate([modality.rows(rows) for rows in ranges])  # [N, D]
        present = np.concatenate([modality.present[rows] for rows in ranges])  # [N]
        features[name] = (torch.from_numpy(x), torch.from_numpy(present))
    if indexed and speakers == corpus.speakers:
        assert isinstance(conversations, Selection)
        return _pack_indexed(corpus, conversations, features, labels)
    return pack(conversations, features, labels, speakers)


def _pack_indexed(
    corpus: Corpus, conversations: Selection, features: Mapping[str, tuple[Tensor, Tensor]], labels: Sequence[str]
) -> Batch:
    """What `pack` makes, from the numbers of the index."""
    index, lengths = corpus.index, conversations.lengths
    rows = index.rows_of(conversations.numbers)  # [N]
    number = {label: place for place, label in enumerate(labels)}
    # The last stands for the utterances without a label, whose number in the index is -1.
    meaning = np.array([*(number.get(label, UNLABELLED) for label in corpus.labels), UNLABELLED], dtype=np.int64)
    ends = np.cumsum(lengths)
    return Batch(
        features={modality: x for modality, (x, _) in features.items()},
        present={modality: present for modality, (_, present) in features.items()},
        position=torch.from_numpy(np.arange(len(rows)) - np.repeat(ends - lengths, lengths)),
        speaker=torch.from_numpy(index.speaker[rows].astype(np.int64)),
        label=torch.from_numpy(meaning[index.labels(rows, len(corpus.labels))]),
        lengths=torch.from_numpy(lengths),
        longest=int(lengths.max()),
        conversations=tuple(index.id(number) for number in conversations.numbers.tolist()),
    )


def split_batches(
    corpus: Corpus,
    conversations: Sequence[Conversation],
    size: int,
    *,
    modalities: Sequence[str],
    labels: Sequence[str],
    speakers: Speakers,
    generator: torch.Generator | None = None,
    utterances: int | None = None,
) -> Iterator[Batch]:
    """Yield all conversations in batches; `size`, `generator` and `utterances` as in `batch_order`."""
    for indices in batch_order(lengths_of(conversations), size, utterances, generator):
        some = chosen(conversations, indices)
        yield corpus_batch(corpus, some, modalities=modalities, labels=labels, speakers=speakers)
