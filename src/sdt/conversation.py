"""Utterances, conversations and predictions: frozen dataclasses without dependencies."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sdt.errors import InputError

Review = Literal["corrected", "confirmed"]
"""Whether a reviewer corrected the predicted emotion or confirmed it."""

UNLABELLED = -1
"""The label number of an utterance without a label."""
MAX_LABELS = 1000
"""The largest number of labels of a corpus or a model; published sets of emotions have up to a few dozen."""


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word."""

    text: str
    """With its punctuation, without white space around it."""
    start: float
    """Seconds from the beginning of the recording."""
    end: float
    """Seconds from the beginning of the recording."""
    probability: float | None = None
    """How sure the recogniser is; None if it does not say."""
    overlapped: bool = False
    """Whether another speaker speaks at the same time, so that the speaker of the word is uncertain."""


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch of time in which one speaker speaks without a longer pause; turns of several speakers can overlap."""

    speaker: str
    start: float
    """Seconds from the start of the recording."""
    end: float
    """Seconds from the start of the recording."""

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.end - self.start

    def overlap(self, start: float, end: float) -> float:
        """The seconds that this turn and a time range have in common."""
        return max(0.0, min(self.end, end) - max(self.start, start))


Value = str | int | float | bool
"""A value of a field that a format has and this package does not use."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """The label that one annotator gave to an utterance."""

    annotator: str
    label: str
    confidence: float | None = None
    """How sure the annotator is, between 0 and 1; None if unknown."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time range or a point in time of a tier."""

    text: str
    start: float
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording; None for a point in time."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A layer of annotation that is not the speech of a speaker, such as gestures; kept and written back."""

    name: str
    spans: tuple[Span, ...] = ()
    points: bool = False
    """Whether its spans are points in time."""


FIRST_SPEAKER = "Speaker 1"
"""The default speaker."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of one speaker.

    Example:
        >>> Utterance(text="I got the job!").text
        'I got the job!'
    """

    id: str = ""
    """Unique within its conversation; empty for the position of the utterance, from 0."""
    speaker: str = ""
    """Empty for the speaker of the previous utterance; see `Conversation.with_defaults`."""
    text: str | None = None
    label: str | None = None
    """The annotated emotion, never a predicted one; None without annotation."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    review: Review | None = None
    """How a reviewer of a prediction set `label`; None for other labels."""
    words: tuple[Word, ...] = ()
    """The words of `text` with their times, if a recogniser gave them."""
    annotations: tuple[Annotation, ...] = ()
    """The labels of the single annotators, if a format has them; `label` is the one that counts."""
    extra: Mapping[str, Value] = field(default_factory=dict, hash=False)
    """Fields of a format that this package does not use; they are kept and written back."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Utterances in spoken order."""

    id: str = ""
    utterances: tuple[Utterance, ...] = ()
    tiers: tuple[Tier, ...] = ()
    """Layers of annotation that are not utterances."""
    media: str | None = None
    """The name of the recording in the file of the conversation: a path or a URL, whose existence is not checked."""
    extra: Mapping[str, Value] = field(default_factory=dict, hash=False)
    """Fields of the whole conversation that this package does not use; they are kept and written back."""

    def __len__(self) -> int:
        return len(self.utterances)

    def with_defaults(self, id: str = "conversation") -> Conversation:
        """A copy without empty ids and speakers; this conversation itself if it has none.

        Args:
            id: The id of the conversation if it has none.
        """
        if self.id and all(one.id and one.speaker for one in self.utterances):
            return self
        speaker, utterances = FIRST_SPEAKER, list[Utterance]()
        for position, one in enumerate(self.utterances):
            speaker = one.speaker or speaker
            utterances.append(replace(one, id=one.id or str(position), speaker=speaker))
        return replace(self, id=self.id or id, utterances=tuple(utterances))

    # The formats are above this module, so these two methods import them when they are called.

    @classmethod
    def read(cls, path: str | Path, *, format: str | None = None, encoding: str | None = None) -> Conversation:
        """Read a file with one conversation, in any format of `sdt formats`; see `sdt.read_transcript` for several.

        Args:
            path: The file, or the folder of a format whose files are folders.
            format: The name of the format; None detects it.
            encoding: The encoding of a text file; None detects it.

        Raises:
            InputError: The file is damaged, its format is not supported, or it has several conversations.
        """
        found: list[Conversation] = (
            _formats().read_transcript(Path(path), format=format, encoding=encoding).conversations
        )
        if len(found) != 1:
            raise InputError(f"{path}: has {len(found):,} conversations; read them with sdt.read_transcript")
        return found[0]

    def write(
        self,
        path: str | Path,
        predictions: Iterable[Prediction] = (),
        *,
        format: str | None = None,
        strict: bool = False,
    ) -> None:
        """Write a file, atomically. What the format cannot hold is lost; see `sdt.formats.losses`.

        Args:
            path: The file, or the folder of a format whose files are folders.
            predictions: Predictions for utterances of the conversation.
            format: The name of the format; None uses the suffix of the file.
            strict: Whether to refuse a format that cannot hold everything.

        Raises:
            InputError: The format or the suffix is unknown; the format needs times, and an utterance has none; or
                `strict`, and something would be lost.
        """
        transcript = _formats().Transcript([self.with_defaults()], predictions=list(predictions))
        _formats().write_transcript(Path(path), transcript, format, strict=strict)


def _formats() -> Any:  # noqa: ANN401 - a module
    return importlib.import_module("sdt.formats")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for one utterance."""

    conversation: str
    utterance: str
    """The id of the utterance."""
    emotion: str | None
    """The label with the highest fused probability; None if the utterance has no modality."""
    probabilities: Mapping[str, float]
    """The fused probability of every label, in the order of the model; empty if `emotion` is None."""
    branches: Mapping[str, Mapping[str, float] | None] = field(default_factory=dict)
    """Modality to the probabilities of its student classifier; None if the utterance lacks the modality. Empty if the
    model has no student classifiers."""
    weights: Mapping[str, float | None] = field(default_factory=dict)
    """Modality to its weight in the fusion, the mean over the dimensions; None if the utterance lacks the modality. The
    other weights sum to 1. Empty if the model has no fusion weights."""
    inferred: bool = False
    """Whether the utterance has no modality, so that only its context is used. This occurs in evaluation only."""
    speaker: str = ""
    text: str | None = None
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    label: str | None = None
    """The annotated emotion; None without annotation."""

    @property
    def probability(self) -> float | None:
        """The probability of `emotion`; None if there is no emotion."""
        return None if self.emotion is None else self.probabilities[self.emotion]

    def with_utterance(self, utterance: Utterance) -> Prediction:
        """A copy with the speaker, text, times and label of an utterance."""
        return replace(
            self,
            speaker=utterance.speaker,
            text=utterance.text,
            start=utterance.start,
            end=utterance.end,
            label=utterance.label,
        )
