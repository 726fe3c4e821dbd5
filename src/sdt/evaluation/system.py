"""Systems to compare: the predictions of one model, or of several that differ only in their seed.

Shapes: N annotated utterances, R runs (seeds), K conversations, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.errors import InputError, near_miss
from sdt.evaluation.counts import Counts
from sdt.evaluation.predicted import Place, Predicted


@dataclass(frozen=True)
class Truth:
    """The annotation of a test set."""

    labels: tuple[str, ...]
    """The C label names in their order."""
    annotated: Mapping[Place, str]
    """The N annotated utterances."""

    @classmethod
    def of_conversations(cls, conversations: Iterable[Conversation], labels: Sequence[str]) -> Truth:
        """The annotation of a corpus' conversations."""
        return cls(
            tuple(labels),
            {(c.id, u.id): u.label for c in conversations for u in c.utterances if u.label is not None},
        )

    @classmethod
    def of_file(cls, predicted: Predicted) -> Truth:
        """The annotation that a file of predictions holds itself.

        Raises:
            InputError: It holds none.
        """
        if not predicted.annotated:
            raise InputError(
                f"{predicted.path}: holds no annotation; add a column 'label', compare with a run, or name the corpus "
                "with --corpus"
            )
        labels = predicted.labels or tuple(sorted({*predicted.annotated.values(), *predicted.emotions.values()}))
        return cls(labels, predicted.annotated)


@dataclass(frozen=True, eq=False)
class System:
    """R models that differ in their seed, or one, and what they predict of the same N annotated utterances."""

    name: str
    labels: tuple[str, ...]
    utterance_keys: tuple[Place, ...]
    """[N]."""
    true: npt.NDArray[np.int64]
    """[N] annotated class numbers."""
    predicted: npt.NDArray[np.int64]
    """[R, N] predicted class numbers."""
    seeds: tuple[int | None, ...]
    """[R]; None if nobody knows."""
    corpus_sha256: str | None = None
    """The fingerprint of the corpus, where it is known."""
    caveats: tuple[str, ...] = ()
    """What a reader of the scores must know, one line each."""

    @classmethod
    def of(
        cls, name: str, predicted: Sequence[Predicted], truth: Truth, seeds: Sequence[int | None] | None = None
    ) -> System:
        """Put files of predictions beside the annotation.

        Args:
            name: What to call the system.
            predicted: Of R runs.
            truth: The annotation. What a file says of further utterances is left aside.
            seeds: [R]; None if nobody knows.

        Raises:
            InputError: An annotated utterance has no prediction, a prediction or an annotation is not a label, or a
                file holds another annotation.
        """
        number = {label: index for index, label in enumerate(truth.labels)}
        for place, label in truth.annotated.items():
            if label not in number:
                raise InputError(f"{name}: {_named(place)} is annotated {label!r}{near_miss(label, truth.labels)}")
        utterance_keys = tuple(truth.annotated)
        if not utterance_keys:
            raise InputError(f"{name}: no annotated utterance; scores need the annotation")
        for of in predicted:
            _check_annotation(of, truth)
        return cls(
            name=name,
            labels=truth.labels,
            utterance_keys=utterance_keys,
            true=np.array([number[truth.annotated[place]] for place in utterance_keys], dtype=np.int64),
            predicted=np.array([_numbers(of, utterance_keys, number) for of in predicted], dtype=np.int64),
            seeds=tuple(seeds) if seeds is not None else (None,) * len(predicted),
        )

    def made_by(self, corpus_sha256: str, caveats: Iterable[str]) -> System:
        """The same system, with what is known of the runs."""
        return replace(self, corpus_sha256=corpus_sha256, caveats=tuple(caveats))

    @cached_property
    def conversation(self) -> npt.NDArray[np.int64]:
        """[N] conversation numbers, in the order of the ids: the order of the utterances plays no part."""
        ids = sorted({conversation for conversation, _ in self.utterance_keys})
        number = {id: index for index, id in enumerate(ids)}
        return np.array([number[conversation] for conversation, _ in self.utterance_keys], dtype=np.int64)

    @property
    def runs(self) -> int:
        """R."""
        return len(self.predicted)

    @property
    def conversations(self) -> int:
        """K."""
        return int(self.conversation.max()) + 1

    @property
    def truth(self) -> Truth:
        """The annotation that the system was tested with."""
        return Truth(
            self.labels, {p: self.labels[t] for p, t in zip(self.utterance_keys, self.true.tolist(), strict=True)}
        )

    def counts(self, where: npt.NDArray[np.bool_] | None = None) -> Counts:
        """What the scores are made of.

        Args:
            where: [N], which utterances are scored; None for all. All K conversations keep their place.
        """
        some = slice(None) if where is None else where
        shape = (self.conversations, len(self.labels))
        return Counts.of(self.true[some], self.predicted[:, some], self.conversation[some], shape)

    def by_seed(self, values: npt.NDArray[np.float64]) -> dict[int, float]:
        """Values [R] by the seed of their run; runs of unknown seed are left out."""
        return {seed: float(v) for seed, v in zip(self.seeds, values, strict=True) if seed is not None}

    def aligned(self, reference: System) -> System:
        """The same system with the utterances and the class numbers in the order of another.

        Raises:
            InputError: The two were not tested on the same utterances with the same annotation and labels.
        """
        _check_same_test(reference, self)
        row = {place: index for index, place in enumerate(self.utterance_keys)}
        order = np.array([row[place] for place in reference.utterance_keys], dtype=np.int64)
        number = np.array([reference.labels.index(label) for label in self.labels], dtype=np.int64)
        return replace(
            self,
            labels=reference.labels,
            utterance_keys=reference.utterance_keys,
            true=number[self.true[order]],
            predicted=number[self.predicted[:, order]],
        )


def _numbers(predicted: Predicted, utterance_keys: Sequence[Place], number: Mapping[str, int]) -> list[int]:
    missing = [place for place in utterance_keys if place not in predicted.emotions]
    if missing:
        raise InputError(
            f"{predicted.path}: no prediction of {len(missing)} of {len(utterance_keys)} annotated utterances, "
            f"the first is {_named(missing[0])}; a comparison needs all of them"
        )
    for place in utterance_keys:
        emotion = predicted.emotions[place]
        if emotion not in number:
            raise InputError(
                f"{predicted.path}: {_named(place)}: {emotion!r} is not a label{near_miss(emotion, number)}"
            )
    return [number[predicted.emotions[place]] for place in utterance_keys]


def _check_annotation(predicted: Predicted, truth: Truth) -> None:
    for place, label in predicted.annotated.items():
        if label != truth.annotated.get(place, label):
            raise InputError(
                f"{predicted.path}: {_named(place)} is annotated {label!r}, elsewhere {truth.annotated[place]!r}; the "
                "test sets are not the same"
            )


def _check_same_test(one: System, other: System) -> None:
    if set(one.labels) != set(other.labels):
        strange = ", ".join(sorted(set(one.labels) ^ set(other.labels)))
        raise InputError(f"{one.name} and {other.name} have different labels ({strange}); their scores do not compare")
    mine, theirs = (
        {place: s.labels[t] for place, t in zip(s.utterance_keys, s.true, strict=True)} for s in (one, other)
    )
    if only := mine.keys() ^ theirs.keys():
        where = one.name if min(only) in mine else other.name
        raise InputError(
            f"{one.name} and {other.name} were tested on different utterances: {len(only)} are annotated in one alone, "
            f"such as {_named(min(only))} in {where}; compare runs on the same test set"
        )
    if changed := sorted(place for place in mine if mine[place] != theirs[place]):
        place = changed[0]
        raise InputError(
            f"{one.name} and {other.name} were tested with different annotations; {len(changed)} differ, such as "
            f"{_named(place)}, {mine[place]!r} and {theirs[place]!r}"
        )


def _named(place: Place) -> str:
    return f"utterance {place[1]!r} of conversation {place[0]!r}"
