"""Batches of the conversations of a corpus: their order, their tensors, and their shards for several processes.

Shapes: N utterances in a batch, B conversations, D_m features of modality m; n utterances in a shard of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from torch import Tensor

from sdt.batch import Batch, pack
from sdt.conversation import UNLABELLED, Conversation
from sdt.corpus.index import Integers
from sdt.corpus.selection import Selection, conversation_lengths, select
from sdt.corpus.store import Corpus
from sdt.speakers import Speakers


class Batches(Sequence[list[int]]):
    """The indices of the conversations of each batch; takes eight bytes per conversation and per batch.

    Args:
        order: The indices of the conversations, batch after batch.
        bounds: The start of each batch in `order`, and the end of the last batch.
        batches: The order of the batches.
    """

    def __init__(self, order: Integers, bounds: Integers, batches: Integers) -> None:
        self._order, self._bounds, self._batches = order, bounds, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Batches: ...
    def __getitem__(self, index: int | slice) -> list[int] | Batches:
        if isinstance(index, slice):
            return Batches(self._order, self._bounds, self._batches[index])
        batch = self._batches[index]
        found: list[int] = self._order[self._bounds[batch] : self._bounds[batch + 1]].tolist()
        return found

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same batches."""
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # like a list


def batch_order(
    lengths: Sequence[int] | Integers, size: int, utterances: int | None, generator: torch.Generator | None
) -> Batches:
    """Divide conversations into batches.

    Args:
        lengths: [K] the number of utterances of each conversation.
        size: Conversations per batch if `utterances` is None, as in the published program.
        utterances: The largest number of utterances per batch. The conversations of a batch then have similar lengths,
            which minimises padding, and batches have similar sizes. A longer conversation is a batch by itself.
        generator: Shuffles the conversations; with `utterances`, it shuffles the batches and, within each length, the
            conversations. None keeps the given order, or sorts by length.

    Returns:
        The indices of the conversations of each batch. The number of batches does not depend on the generator.
    """
    order = _shuffled(len(lengths), generator)
    if utterances is None:
        bounds = np.append(np.arange(0, len(order), size), len(order))
        return Batches(order, bounds, np.arange(len(bounds) - 1))
    order = order[np.argsort(np.asarray(lengths)[order], kind="stable")]  # conversations of equal length stay shuffled
    starts, room = list[int](), 0
    for position, length in enumerate(np.asarray(lengths)[order].tolist()):
        if length > room or not starts:
            starts.append(position)
            room = utterances
        room -= length
    return Batches(order, np.array([*starts, len(order)], dtype=np.int64), _shuffled(len(starts), generator))


def _shuffled(count: int, generator: torch.Generator | None) -> Integers:
    if generator is None:
        return np.arange(count)
    order: Integers = torch.randperm(count, generator=generator).numpy()
    return order


def corpus_batch(
    corpus: Corpus,
    conversations: Sequence[Conversation],
    *,
    modalities: Sequence[str],
    labels: Sequence[str],
    speakers: Speakers,
) -> Batch:
    """Pack conversations of a corpus into a batch; reads only their rows of the feature files.

    Labels and speakers come from the index if the conversations are a selection of this corpus and the speakers are
    numbered as in the corpus; utterances.jsonl is not read then.
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
    """The same batch as from `pack`, built from the index."""
    source, lengths = corpus.index, conversations.lengths
    rows = source.rows_of(conversations.numbers)  # [N]
    number = {label: index for index, label in enumerate(labels)}
    # The last element is for utterances without a label, whose number in the index is -1.
    model_number = np.array([*(number.get(label, UNLABELLED) for label in corpus.labels), UNLABELLED], dtype=np.int64)
    ends = np.cumsum(lengths)
    return Batch(
        features={modality: x for modality, (x, _) in features.items()},
        present={modality: present for modality, (_, present) in features.items()},
        position=torch.from_numpy(np.arange(len(rows)) - np.repeat(ends - lengths, lengths)),
        speaker=torch.from_numpy(source.speaker[rows].astype(np.int64)),
        label=torch.from_numpy(model_number[source.labels(rows, len(corpus.labels))]),
        lengths=torch.from_numpy(lengths),
        longest=int(lengths.max()),
        conversations=tuple(source.id(number) for number in conversations.numbers.tolist()),
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
    """Yield the conversations in batches; see `batch_order` for `size`, `generator` and `utterances`."""
    for indices in batch_order(conversation_lengths(conversations), size, utterances, generator):
        selected = select(conversations, indices)
        yield corpus_batch(corpus, selected, modalities=modalities, labels=labels, speakers=speakers)


@dataclass(frozen=True)
class Shard:
    """The conversations of a batch that one of several processes computes."""

    batch: Batch
    """The conversations of this process."""
    whole: Batch
    """The complete batch, on the CPU."""
    rows: Tensor
    """[n] int64, on the CPU; the rows of the shard's utterances in the complete batch. Empty for a process that only
    repeats a conversation of another process."""


def partition(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Divide conversations into parts with similar numbers of utterances.

    Assigns the conversations, longest first, to the part with the fewest utterances.

    Args:
        lengths: The number of utterances of each conversation.
        parts: The number of parts.

    Returns:
        The indices of the conversations of each part, in order. Parts are empty if there are fewer conversations than
        parts.
    """
    found: list[list[int]] = [[] for _ in range(parts)]
    utterances = [0] * parts
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        part = utterances.index(min(utterances))
        found[part].append(index)
        utterances[part] += lengths[index]
    return [sorted(part) for part in found]


def shard(batch: Batch, part: int, parts: int) -> Shard:
    """The conversations of a batch that one of several processes computes.

    If there are fewer conversations than processes, the idle processes compute the shortest conversation without its
    labels: they take part in the step but do not contribute to the gradient.

    Args:
        batch: The complete batch, on the CPU.
        part: The rank of the process.
        parts: The number of processes.
    """
    if parts == 1:
        return Shard(batch, batch, torch.arange(len(batch)))
    lengths = batch.lengths.tolist()
    if indices := partition(lengths, parts)[part]:
        return _select(batch, indices)
    idle = _select(batch, [lengths.index(min(lengths))])
    label = torch.full_like(idle.batch.label, UNLABELLED)
    return Shard(replace(idle.batch, label=label), batch, torch.empty(0, dtype=torch.int64))


def _select(batch: Batch, indices: list[int]) -> Shard:
    """The shard with these conversations of a batch."""
    ends = batch.lengths.cumsum(0).tolist()
    starts = [0, *ends]
    rows = torch.cat([torch.arange(starts[index], ends[index]) for index in indices])  # [n]
    lengths = batch.lengths[indices]
    part = replace(
        batch,
        features={m: x[rows] for m, x in batch.features.items()},
        present={m: x[rows] for m, x in batch.present.items()},
        position=batch.position[rows],
        speaker=batch.speaker[rows],
        label=batch.label[rows],
        lengths=lengths,
        longest=int(lengths.max()),
        conversations=tuple(batch.conversations[index] for index in indices),
        participant=None if batch.participant is None else batch.participant[rows],
    )
    return Shard(part, batch, rows)
