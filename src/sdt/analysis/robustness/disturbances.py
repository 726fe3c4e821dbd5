"""Disturbances of model input: missing modalities, noise, unknown speakers and replaced features.

Random numbers are seeded by the conversation id, so all runs and systems get the same disturbance. The disturbances at
a lower level are a subset of those at a higher level, which reduces the variance along a curve.

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
"""Features [n, D_m] of a conversation, and whether its utterances have them [n]."""
Progress = Callable[[int], object]
"""Called with the number of prepared conversations."""
_TOGETHER = 20
"""Number of conversations that are prepared in one call."""


def no_progress(_: int) -> None:
    """Progress callback that does nothing."""


class Disturbance(Protocol):
    """A disturbance of the input with adjustable level."""

    @property
    def name(self) -> str:
        """Display name, such as `audio missing`."""

    @property
    def axis(self) -> str:
        """Unit of the level."""

    @property
    def levels(self) -> Sequence[float]:
        """Levels in increasing order, without 0."""

    @property
    def prepares(self) -> bool:
        """Whether conversations must be prepared for each level, which takes time."""

    def at(self, level: float, progress: Progress = ..., /) -> Change:
        """Return the change of a batch at a level; prepares the conversations if necessary."""


@dataclass(frozen=True)
class Missing:
    """Removes a modality from a share of the utterances."""

    modality: str
    levels: Sequence[float]
    seed: int

    @property
    def name(self) -> str:
        """See `Disturbance`."""
        return f"{self.modality} missing"

    axis = "share of the utterances"
    prepares = False

    def at(self, level: float, _: Progress = no_progress, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            present = batch.present[self.modality].clone()
            for id, rows in by_conversation(batch):
                lost = conversation_rng(self.seed, self.name, id).random(rows.stop - rows.start) < level
                present[rows] &= torch.from_numpy(~lost)
            return replace(batch, present={**batch.present, self.modality: present})

        return change


@dataclass(frozen=True, eq=False)
class Noise:
    """Adds Gaussian noise to every feature of a modality."""

    modality: str
    levels: Sequence[float]
    seed: int
    deviation: npt.NDArray[np.float32]
    """[D_m] standard deviation of each feature over train, the unit of the level."""

    @property
    def name(self) -> str:
        """See `Disturbance`."""
        return f"noise on {self.modality}"

    axis = "standard deviations of each feature"
    prepares = False

    def at(self, level: float, _: Progress = no_progress, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            x = batch.features[self.modality].clone()
            for id, rows in by_conversation(batch):
                random = conversation_rng(self.seed, self.name, id)
                noise = random.standard_normal((rows.stop - rows.start, len(self.deviation)), dtype=np.float32)
                x[rows] += torch.from_numpy(noise * (level * self.deviation))
            return replace(batch, features={**batch.features, self.modality: x})

        return change


@dataclass(frozen=True)
class UnknownSpeakers:
    """Replaces the speaker by the unknown speaker in a share of the utterances."""

    levels: Sequence[float]
    seed: int
    unknown: int
    """The number of the unknown speaker; see `Speakers.count`."""

    name = "speakers unknown"
    axis = "share of the utterances"
    prepares = False

    def at(self, level: float, _: Progress = no_progress, /) -> Change:
        """See `Disturbance`."""

        def change(batch: Batch) -> Batch:
            speaker = batch.speaker.clone()
            for id, rows in by_conversation(batch):
                lost = conversation_rng(self.seed, self.name, id).random(rows.stop - rows.start) < level
                speaker[rows] = speaker[rows].masked_fill(torch.from_numpy(lost), self.unknown)
            # Speakers that the model does not know can still be told apart.
            return replace(batch, speaker=speaker, participant=batch.participants)

        return change


@dataclass(frozen=True, eq=False)
class OtherFeatures:
    """Replaces the features of a modality by features of disturbed raw input.

    The features of each level are cached, so that several groups of models share them.
    """

    name: str
    axis: str
    modality: str
    levels: Sequence[float]
    conversations: Sequence[Conversation]
    """All conversations on which the models run."""
    make: Callable[[Sequence[Conversation], float], Mapping[str, Features]]
    """Computes the features of conversations at a level."""
    _made: dict[float, dict[str, Features]] = field(default_factory=dict)

    prepares = True

    def at(self, level: float, progress: Progress = no_progress, /) -> Change:
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
    """Yield the id of each conversation of a batch and the rows of its utterances."""
    ends = batch.lengths.cumsum(0).tolist()
    for id, first, end in zip(batch.conversations, [0, *ends], ends, strict=False):
        yield id, slice(first, end)


def conversation_rng(seed: int, what: str, conversation: str) -> np.random.Generator:
    """Create the random generator of a conversation, independent of the other conversations of its batch."""
    return np.random.default_rng([seed, zlib.crc32(what.encode()), zlib.crc32(conversation.encode())])


def feature_deviations(corpus: Corpus, modality: str) -> npt.NDArray[np.float32]:
    """Compute the standard deviation [D_m] of each feature over train, or over the whole corpus without train.

    Utterances without the modality are ignored. The matrix is read conversation by conversation.
    """
    table = corpus.modalities[modality]
    size, total, squares = 0, np.zeros(table.width), np.zeros(table.width)
    for id in corpus.splits.get("train") or corpus.conversations:
        rows = corpus.rows(id)
        x = table.rows(rows)[table.present[rows]].astype(np.float64)
        size, total, squares = size + len(x), total + x.sum(axis=0), squares + (x**2).sum(axis=0)
    mean = total / max(size, 1)
    return np.sqrt(np.maximum(squares / max(size, 1) - mean**2, 0)).astype(np.float32)
