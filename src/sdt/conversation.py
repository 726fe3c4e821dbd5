"""What a user talks in: utterances, conversations, predictions. Plain and frozen; no torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Review = Literal["corrected", "confirmed"]
"""What a person did with the model's emotion: gave another label, or confirmed it."""

UNLABELLED = -1
"""The number of the label of an utterance that has none."""
MOST_LABELS = 1000
"""Of a corpus or a model; sets of emotions have a few dozen at most."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of one speaker."""

    id: str
    """Unique within its conversation."""
    speaker: str
    text: str | None = None
    label: str | None = None
    """The emotion that a person or the corpus' annotation gives, never a model's; None where there is none."""
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    review: Review | None = None
    """How `label` came about where a person reviewed a prediction; None where the label was given without one."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Utterances in the order in which they were spoken."""

    id: str
    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        return len(self.utterances)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for one utterance."""

    conversation: str
    utterance: str
    """The utterance's id."""
    emotion: str | None
    """The label with the highest fused probability; None where the utterance has no modality."""
    probabilities: Mapping[str, float]
    """The fused probability of every label, in the model's order; empty where there is no emotion."""
    branches: Mapping[str, Mapping[str, float] | None] = field(default_factory=dict)
    """Modality (student) to its own probability of every label; None where the utterance lacks the modality. Empty
    where the model has no such heads."""
    weights: Mapping[str, float | None] = field(default_factory=dict)
    """Modality to its weight in the fusion, the mean over the model's dimensions; None where the utterance lacks the
    modality. The others sum to 1. Empty where the model has no such weights."""
    inferred: bool = False
    """The utterance has no modality, and the emotion comes from its context alone. Only evaluation predicts these."""
    speaker: str = ""
    text: str | None = None
    start: float | None = None
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds from the beginning of the recording."""
    label: str | None = None
    """The annotated emotion; None where the utterance is not annotated."""

    @property
    def probability(self) -> float | None:
        """The probability of `emotion`; None where there is no emotion."""
        return None if self.emotion is None else self.probabilities[self.emotion]

    def of(self, utterance: Utterance) -> Prediction:
        """The same prediction with its utterance's speaker, text, times and label."""
        said = {name: getattr(utterance, name) for name in ("speaker", "text", "start", "end", "label")}
        return replace(self, **said)
