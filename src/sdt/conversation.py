"""What a user talks in: utterances, conversations, predictions. Plain and frozen; no torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of one speaker."""

    id: str
    """Unique within its conversation."""
    speaker: str
    text: str | None = None
    label: str | None = None
    """The annotated emotion, one of the corpus' label names; None where it is not annotated."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Utterances in the order in which they were spoken."""

    id: str
    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        return len(self.utterances)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one utterance."""

    conversation: str
    utterance: str
    emotion: str
    """The label with the highest fused probability."""
    probabilities: Mapping[str, float]
    """The fused probability of every label, in the model's order."""
    branches: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """For each modality that has a branch, its own probability of every label; empty where the model has no branches. A
    model without weights has none for a modality that the utterance lacks."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much each modality weighed in the fusion: the mean over the model's dimensions; they sum to 1. Empty where
    the model has no such weights."""

    @property
    def probability(self) -> float:
        """The probability of `emotion`."""
        return self.probabilities[self.emotion]
