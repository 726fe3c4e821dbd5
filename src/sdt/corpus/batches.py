"""Packed batches: the utterances of several conversations end to end, with no padding.

Shapes: N utterances in the batch, B conversations, D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sdt.conversation import Conversation
from sdt.corpus.batch_order import batch_order
from sdt.corpus.index import UNLABELLED
from sdt.corpus.lengths import lengths_of
from sdt.corpus.selection import Selection, chosen
from sdt.corpus.store import Corpus
from sdt.speakers import Speakers

__all__ = ["UNLABELLED", "Batch", "corpus_batch", "pack", "split_batches"]


@dataclass(frozen=True)
class Batch:
    """Several conversations, packed."""

    features: dict[str, Tensor]
    """Modality to [N, D_m] float32; zero where missing."""
    present: dict[str, Tensor]
    """Modality to [N] bool."""
    position: Tensor
    """[N] int64; 0 for the first utterance of a conversation."""
    speaker: Tensor
    """[N] int64; see `Speakers.numbers`."""
    label: Tensor
    """[N] int64; `UNLABELLED` where there is none."""
    lengths: Tensor
    """[B] int64; utterances of each conversation."""
    longest: int
    """max(lengths), on the host so that no device has to be asked."""
    conversations: tuple[str, ...]
    """[B] conversation ids."""

    def __len__(self) -> int:
        return len(self.position)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return replace(
            self,
            features={m: x.to(device, non_blocking=True) for m, x in self.features.items()},
            present={m: x.to(device, non_blocking=True) for m, x in self.present.items()},
            position=self.position.to(device, non_blocking=True),
            speaker=self.speaker.to(device, non_blocking=True),
            label=self.label.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
        )

    def only(self, modalities: Sequence[str]) -> Batch:
        """The same batch as if every utterance lacked all other modalities."""
        present = {m: x if m in modalities else torch.zeros_like(x) for m, x in self.present.items()}
        return replace(self, present=present)

    def stretches(self, spans: Sequence[tuple[int, int]]) -> Batch:
        """Stretches of this batch's conversations as conversations of their own: positions begin at 0 in each.

        Args:
            spans: Of each the first row and the one after the last, all within one conversation; they may overlap.
        """
        rows = torch.cat([torch.arange(a, b) for a, b in spans])
        of = torch.arange(len(self.lengths)).repeat_interleave(self.lengths)  # [N]; the conversation
        return Batch(
            features={m: x[rows] for m, x in self.features.items()},
            present={m: x[rows] for m, x in self.present.items()},
            position=torch.cat([torch.arange(b - a) for a, b in spans]),
            speaker=self.speaker[rows],
            label=self.label[rows],
            lengths=torch.tensor([b - a for a, b in spans]),
            longest=max(b - a for a, b in spans),
            conversations=tuple(self.conversations[int(of[a])] for a, _ in spans),
        )


def pack(
    conversations: Sequence[Conversation],
    features: Mapping[str, tuple[Tensor, Tensor]],
    labels: Sequence[str],
    speakers: Speakers,
) -> Batch:
    """Pack conversations whose features lie end to end already.

    Args:
        conversations: B conversations.
        features: Modality to (features [N, D_m] float32, present [N] bool), rows in the order of the conversations.
        labels: The model's label names in the order of their numbers; a label outside them counts as none.
        speakers: The model's speaker numbering.
    """
    number = {label: index for index, label in enumerate(labels)}
    return Batch(
        features={modality: x for modality, (x, _) in features.items()},
        present={modality: present for modality, (_, present) in features.items()},
        position=torch.tensor([p for c in conversations for p in range(len(c))], dtype=torch.int64),
        speaker=torch.tensor([s for c in conversations for s in speakers.numbers(c)], dtype=torch.int64),
        label=torch.tensor(
            [number.get(u.label, UNLABELLED) if u.label else UNLABELLED for c in conversations for u in c.utterances],
            dtype=torch.int64,
        ),
        lengths=torch.tensor([len(c) for c in conversations], dtype=torch.int64),
        longest=max(len(c) for c in conversations),
        conversations=tuple(c.id for c in conversations),
    )


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
