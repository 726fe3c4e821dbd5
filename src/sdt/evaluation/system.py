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
from sdt.corpus.selection import UtteranceKey
from sdt.errors import InputError, near_miss
from sdt.evaluation.counts import Counts
from sdt.evaluation.predicted import PredictionFile


@dataclass(frozen=True)
class Truth:
    """The annotation of a test set."""

    labels: tuple[str, ...]
    """The C label names in their order."""
    annotated: Mapping[UtteranceKey, str]
    """The labels of the N annotated utterances."""

    @classmethod
    def of_conversations(cls, conversations: Iterable[Conversation], labels: Sequence[str]) -> Truth:
        """Create the annotation from conversations of a corpus."""
        return cls(
            tuple(labels),
            {(c.id, u.id): u.label for c in conversations for u in c.utterances if u.label is not None},
        )

    @classmethod
    def of_file(cls, predicted: PredictionFile) -> Truth:
        """Create the annotation from the labels of a prediction file.

        Raises:
            InputError: The file has no labels.
        """
        if not predicted.annotated:
            raise InputError(
                f"{predicted.path}: the file has no labels; add a column 'label', compare with a run, or name the "
                "corpus with --corpus"
            )
        labels = predicted.labels or tuple(sorted({*predicted.annotated.values(), *predicted.emotions.values()}))
        return cls(labels, predicted.annotated)


@dataclass(frozen=True, eq=False)
class System:
    """The predictions of R models, which differ only in their seed, for the same N annotated utterances."""

    name: str
    """Display name."""
    labels: tuple[str, ...]
    """The C label names in the order of the class numbers."""
    utterance_keys: tuple[UtteranceKey, ...]
    """[N] (conversation id, utterance id)."""
    true: npt.NDArray[np.int64]
    """[N] annotated class numbers."""
    predicted: npt.NDArray[np.int64]
    """[R, N] predicted class numbers."""
    seeds: tuple[int | None, ...]
    """[R]; None for an unknown seed."""
    corpus_sha256: str | None = None
    """The fingerprint of the corpus; None if unknown."""
    caveats: tuple[str, ...] = ()
    """Caveats on the scores, one line each."""

    @classmethod
    def of(
        cls, name: str, predicted: Sequence[PredictionFile], truth: Truth, seeds: Sequence[int | None] | None = None
    ) -> System:
        """Create a system from prediction files and the annotation.

        Args:
            name: Display name.
            predicted: The prediction files of R runs.
            truth: The annotation; predictions for other utterances are ignored.
            seeds: [R]; None for unknown seeds.

        Raises:
            InputError: An annotated utterance has no prediction, a prediction or annotation is not a label, or a file
                has a different annotation.
        """
        number = {label: index for index, label in enumerate(truth.labels)}
        for key, label in truth.annotated.items():
            if label not in number:
                raise InputError(
                    f"{name}: {_named(key)} has the unknown label {label!r}{near_miss(label, truth.labels)}"
                )
        utterance_keys = tuple(truth.annotated)
        if not utterance_keys:
            raise InputError(f"{name}: no utterance has a label; scores need labelled utterances")
        for file in predicted:
            _check_annotation(file, truth)
        return cls(
            name=name,
            labels=truth.labels,
            utterance_keys=utterance_keys,
            true=np.array([number[truth.annotated[key]] for key in utterance_keys], dtype=np.int64),
            predicted=np.array([_numbers(file, utterance_keys, number) for file in predicted], dtype=np.int64),
            seeds=tuple(seeds) if seeds is not None else (None,) * len(predicted),
        )

    def with_provenance(self, corpus_sha256: str, caveats: Iterable[str]) -> System:
        """Return the system with the corpus and the caveats of its runs."""
        return replace(self, corpus_sha256=corpus_sha256, caveats=tuple(caveats))

    @cached_property
    def conversation(self) -> npt.NDArray[np.int64]:
        """[N] conversation numbers, in the order of the ids and independent of the order of the utterances."""
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
        """Count the utterances from which scores are computed.

        Args:
            where: [N] bool; the utterances to score, None for all. The counts always have all K conversations.
        """
        rows = slice(None) if where is None else where
        shape = (self.conversations, len(self.labels))
        return Counts.of(self.true[rows], self.predicted[:, rows], self.conversation[rows], shape)

    def by_seed(self, values: npt.NDArray[np.float64]) -> dict[int, float]:
        """Map the seed of each run to its value in `values` [R]; runs with unknown seed are omitted."""
        return {seed: float(v) for seed, v in zip(self.seeds, values, strict=True) if seed is not None}

    def aligned(self, reference: System) -> System:
        """Return the system with utterances and class numbers in the order of a reference.

        Raises:
            InputError: The two were tested on different utterances, annotations or labels.
        """
        _check_same_test(reference, self)
        row = {key: index for index, key in enumerate(self.utterance_keys)}
        order = np.array([row[key] for key in reference.utterance_keys], dtype=np.int64)
        number = np.array([reference.labels.index(label) for label in self.labels], dtype=np.int64)
        return replace(
            self,
            labels=reference.labels,
            utterance_keys=reference.utterance_keys,
            true=number[self.true[order]],
            predicted=number[self.predicted[:, order]],
        )


def _numbers(predicted: PredictionFile, utterance_keys: Sequence[UtteranceKey], number: Mapping[str, int]) -> list[int]:
    missing = [key for key in utterance_keys if key not in predicted.emotions]
    if missing:
        raise InputError(
            f"{predicted.path}: predictions are missing for {len(missing)} of {len(utterance_keys)} annotated "
            f"utterances, the first is {_named(missing[0])}; add them"
        )
    for key in utterance_keys:
        emotion = predicted.emotions[key]
        if emotion not in number:
            raise InputError(f"{predicted.path}: {_named(key)}: {emotion!r} is not a label{near_miss(emotion, number)}")
    return [number[predicted.emotions[key]] for key in utterance_keys]


def _check_annotation(predicted: PredictionFile, truth: Truth) -> None:
    for key, label in predicted.annotated.items():
        if label != truth.annotated.get(key, label):
            raise InputError(
                f"{predicted.path}: {_named(key)} has the label {label!r}, but {truth.annotated[key]!r} in the "
                "reference annotation; compare systems on the same test set"
            )


def _check_same_test(one: System, other: System) -> None:
    if set(one.labels) != set(other.labels):
        different = ", ".join(sorted(set(one.labels) ^ set(other.labels)))
        raise InputError(
            f"{one.name} and {other.name} have different labels ({different}); their scores are not comparable"
        )
    labels, other_labels = (
        {key: s.labels[t] for key, t in zip(s.utterance_keys, s.true, strict=True)} for s in (one, other)
    )
    if only := labels.keys() ^ other_labels.keys():
        where = one.name if min(only) in labels else other.name
        raise InputError(
            f"{one.name} and {other.name} were tested on different utterances: {len(only)} are annotated in only one "
            f"of them, such as {_named(min(only))} in {where}; compare runs on the same test set"
        )
    if changed := sorted(key for key in labels if labels[key] != other_labels[key]):
        key = changed[0]
        raise InputError(
            f"{one.name} and {other.name} were tested with different annotations; {len(changed)} differ, such as "
            f"{_named(key)}, {labels[key]!r} and {other_labels[key]!r}"
        )


def _named(key: UtteranceKey) -> str:
    return f"utterance {key[1]!r} of conversation {key[0]!r}"
