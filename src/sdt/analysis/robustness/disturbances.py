"""Disturbances of the input of a model, each with a level.

What happens to a conversation is drawn from its id, so that all runs and systems meet the same disturbance; and the
draws of a lower level are part of those of a higher one, so that a curve shows the level and not the luck of its draws.

Shapes: N utterances of a batch, D_m features of modality m.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from sdt.batch import Batch
from sdt.conversation import Conversation
from sdt.corpus.store import Corpus

Change = Callable[[Batch], Batch]
Features = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]
"""Of a conversation: features [n, D_m] and presence [n]."""
Progress = Callable[[int], object]
"""Called with the number of conversations that were prepared."""
_TOGETHER = 20
"""Conversations that are prepared together."""


def ignore(_: int) -> None:
    """For those who do not want to know."""


class Disturbance(Protocol):
    """One way to make the input worse."""

    @property
    def name(self) -> str:
        """`audio missing`."""

    @property
    def axis(self) -> str:
        """What the level measures."""

    @property
    def levels(self) -> Sequence[float]:
        """From weak to strong, without 0."""

    @property
    def prepares(self) -> bool:
        """Whether every conversation has to be prepared for a level before a model reads it, which takes time."""

    def at(self, level: float, progress: Progress = ..., /) -> Change:
        """What is done to a batch at a level; reports on the preparation, where there is any."""


@dataclass(frozen=True)
class Missing:
    """A modality is missing at a share of the utterances."""

    modality: str
    levels: Sequence[float]
    seed: int

    @property
    def name(self) -> str:
        """See `Disturbance`."""
        return f"{self.modality} missing"

    axis = "share of the utterances"
    prepares = False

    def at(self, level: float, _: Progress = ignore, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            present = batch.present[self.modality].clone()
            for id, rows in by_conversation(batch):
                lost = random_of(self.seed, self.name, id).random(rows.stop - rows.start) < level
                present[rows] &= torch.from_numpy(~lost)
            return replace(batch, present={**batch.present, self.modality: present})

        return change


@dataclass(frozen=True, eq=False)
class Noise:
    """Gaussian noise is added to every feature of a modality."""

    modality: str
    levels: Sequence[float]
    seed: int
    deviation: npt.NDArray[np.float32]
    """[D_m] each feature's standard deviation over train, the unit of the level."""

    @property
    def name(self) -> str:
        """See `Disturbance`."""
        return f"noise on {self.modality}"

    axis = "standard deviations of each feature"
    prepares = False

    def at(self, level: float, _: Progress = ignore, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            x = batch.features[self.modality].clone()
            for id, rows in by_conversation(batch):
                random = random_of(self.seed, self.name, id)
                noise = random.standard_normal((rows.stop - rows.start, len(self.deviation)), dtype=np.float32)
                x[rows] += torch.from_numpy(noise * (level * self.deviation))
            return replace(batch, features={**batch.features, self.modality: x})

        return change


@dataclass(frozen=True)
class UnknownSpeakers:
    """Nobody knows who speaks, at a share of the utterances."""

    levels: Sequence[float]
    seed: int
    unknown: int
    """The number of a speaker without a number; see `Speakers.count`."""

    name = "speakers unknown"
    axis = "share of the utterances"
    prepares = False

    def at(self, level: float, _: Progress = ignore, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            speaker = batch.speaker.clone()
            for id, rows in by_conversation(batch):
                lost = random_of(self.seed, self.name, id).random(rows.stop - rows.start) < level
                speaker[rows] = speaker[rows].masked_fill(torch.from_numpy(lost), self.unknown)
            return replace(batch, speaker=speaker)

        return change


@dataclass(frozen=True, eq=False)
class OtherFeatures:
    """The features of a modality are replaced by others, made of something that went wrong before.

    What was made for a level is kept, so that several groups of models need it made once.
    """

    name: str
    axis: str
    modality: str
    levels: Sequence[float]
    conversations: Sequence[Conversation]
    """All that a model will be shown."""
    make: Callable[[Sequence[Conversation], float], Mapping[str, Features]]
    """From some conversations and a level to each one's features."""
    _made: dict[float, dict[str, Features]] = field(default_factory=dict)

    prepares = True

    def at(self, level: float, progress: Progress = ignore, /) -> Change:
        """See `Disturbance`."""
        if level not in self._made:
            made: dict[str, Features] = {}
            for first in range(0, len(self.conversations), _TOGETHER):
                chosen = self.conversations[first : first + _TOGETHER]
                made |= self.make(chosen, level)
                progress(len(chosen))
            self._made[level] = made
        else:
            progress(len(self.conversations))
        made = self._made[level]

        def change(batch: Batch) -> Batch:
            x = torch.from_numpy(np.concatenate([made[id][0] for id in batch.conversations]))
            present = torch.from_numpy(np.concatenate([made[id][1] for id in batch.conversations]))
            return replace(
                batch,
                features={**batch.features, self.modality: x},
                present={**batch.present, self.modality: present},
            )

        return change


def by_conversation(batch: Batch) -> Iterator[tuple[str, slice]]:
    """The id of each conversation of a batch, and where its utterances are."""
    ends = batch.lengths.cumsum(0).tolist()
    for id, first, end in zip(batch.conversations, [0, *ends], ends, strict=False):
        yield id, slice(first, end)


def random_of(seed: int, what: str, conversation: str) -> np.random.Generator:
    """The random numbers of a conversation, the same whichever others share its batch."""
    return np.random.default_rng([seed, zlib.crc32(what.encode()), zlib.crc32(conversation.encode())])


def deviations(corpus: Corpus, modality: str) -> npt.NDArray[np.float32]:
    """The standard deviation [D_m] of each feature over the train split, or over all where there is none.

    Utterances that lack the modality do not count. The matrix is read conversation by conversation.
    """
    table = corpus.modalities[modality]
    size, total, squares = 0, np.zeros(table.width), np.zeros(table.width)
    for id in corpus.splits.get("train") or corpus.conversations:
        rows = corpus.rows(id)
        x = table.rows(rows)[table.present[rows]].astype(np.float64)
        size, total, squares = size + len(x), total + x.sum(axis=0), squares + (x**2).sum(axis=0)
    mean = total / max(size, 1)
    return np.sqrt(np.maximum(squares / max(size, 1) - mean**2, 0)).astype(np.float32)
