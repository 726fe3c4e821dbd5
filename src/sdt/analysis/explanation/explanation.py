"""The explanation of one conversation, and its JSON.

Shapes: T utterances; M modalities; H heads; C labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.analysis.explanation.attention import Maps
from sdt.analysis.explanation.occlusion import NOTHING, Effect, Occlusion
from sdt.conversation import Conversation, Utterance
from sdt.models.config import FUSED, ModelConfig
from sdt.models.context import Context

LOW, HIGH = 10, 90
"""Percentiles over the model's dimensions."""
LONGEST = 1000
"""Maximum number of utterances of an explained conversation: the time grows with the cube of their number."""
HEADS_UP_TO = 100
"""Maximum number of utterances for which JSON has the attention of every head; otherwise only the mean over heads."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Weights:
    """Fusion weights, summarised over the model's dimensions; each array is [T, M]."""

    mean: Floats
    """Mean. Sums to 1 over the modalities; 0 for a missing modality; undefined if all modalities are missing."""
    deviation: Floats
    """Standard deviation."""
    low: Floats
    """10th percentile."""
    high: Floats
    """90th percentile."""

    @property
    def per_dimension(self) -> bool:
        """Whether the weights differ between dimensions."""
        return bool((self.deviation > 1e-6).any())


@dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of a model's predictions for one conversation."""

    conversation: Conversation
    """The conversation."""
    config: ModelConfig
    """The configuration of the model."""
    context: Context
    """The utterances that an utterance attends to."""
    present: npt.NDArray[np.bool_]
    """[T, M]; whether the utterance has the modality."""
    probabilities: Mapping[str, Floats]
    """Classifier (`fused`, then the branches) to calibrated probabilities [T, C]."""
    weights: Weights | None
    """Fusion weights; None if the model has none."""
    fusion_weights: str
    """Description of the weights: `learned`, or as the fusion states."""
    attention: Sequence[Maps]
    """Attention maps of each encoder layer, in order; empty for models that do not provide attention weights."""
    occlusion: Occlusion
    """Effects of occlusion."""
    notes: Sequence[str] = field(default_factory=tuple)
    """Notes on the interpretation, one line each."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The M modalities in the order of the arrays' columns."""
        return tuple(self.config.modalities)

    @property
    def branches(self) -> tuple[str, ...]:
        """The modalities that have a classifier."""
        return tuple(name for name in self.probabilities if name != FUSED)

    @property
    def emotions(self) -> npt.NDArray[np.int64]:
        """Class number of the predicted emotion, [T]."""
        found: npt.NDArray[np.int64] = self.probabilities[FUSED].argmax(axis=1)
        return found

    def disagreeing(self, modality: str) -> npt.NDArray[np.bool_]:
        """Whether a branch predicts another emotion than the fused classifier, [T]; False for missing modalities."""
        own = self.present[:, self.modalities.index(modality)]
        other: npt.NDArray[np.bool_] = (self.probabilities[modality].argmax(axis=1) != self.emotions) & own
        return other

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; numbers have five significant digits.

        Values of missing modalities, and effects without anything to remove, are null.
        """
        names, labels = self.modalities, self.config.labels
        return {
            "conversation": self.conversation.id,
            "modalities": list(names),
            "labels": list(labels),
            "notes": list(self.notes),
            "fusion": self._fusion(),
            "utterances": [self._utterance(i, utterance) for i, utterance in enumerate(self.conversation.utterances)],
            "attention": [
                {"layer": layer, "target": target, "source": source, **self._map(weights)}
                for layer, maps in enumerate(self.attention, start=1)
                for (target, source), weights in maps.items()
            ],
            "occlusion": {
                "modality_everywhere": self._by_modality(self.occlusion.everywhere),
                "modality_here": self._by_modality(self.occlusion.here),
                "utterance": {
                    "probability": _numbers(self.occlusion.utterances.probability),
                    "log_odds": _numbers(self.occlusion.utterances.log_odds),
                    "changed": self._changed(self.occlusion.utterances),
                },
            },
        }

    def to_json(self) -> str:
        """The text of `explanation.json`."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def _fusion(self) -> dict[str, Any] | None:
        """Description and mean of the fusion weights; None without weights."""
        if self.weights is None:
            return None
        return {
            "weights": self.fusion_weights,
            "per_dimension": self.weights.per_dimension,
            "mean": dict(zip(self.modalities, _numbers(self.weights.mean.mean(axis=0)), strict=True)),
        }

    def _utterance(self, i: int, utterance: Utterance) -> dict[str, Any]:
        names, labels, weights = self.modalities, self.config.labels, self.weights
        present = dict(zip(names, self.present[i].tolist(), strict=True))
        return {
            "order": i + 1,
            "utterance": utterance.id,
            "speaker": utterance.speaker,
            "text": utterance.text,
            "label": utterance.label,
            "emotion": labels[self.emotions[i]],
            "probability": _number(self.probabilities[FUSED][i].max()),
            "inferred": not any(present.values()),
            "probabilities": {
                name: dict(zip(labels, _numbers(p[i]), strict=True)) if present.get(name, True) else None
                for name, p in self.probabilities.items()
            },
            "disagreeing": [name for name in self.branches if self.disagreeing(name)[i]],
            "present": present,
            "weights": None
            if weights is None
            else {
                name: {key: _number(getattr(weights, key)[i, m]) for key in ("mean", "deviation", "low", "high")}
                if present[name]
                else None
                for m, name in enumerate(names)
            },
        }

    def _map(self, weights: Floats) -> dict[str, Any]:
        heads = {"heads": _numbers(weights)} if len(self.conversation) <= HEADS_UP_TO else {}
        return {"mean": _numbers(weights.mean(axis=0)), **heads}

    def _by_modality(self, effect: Effect) -> dict[str, Any]:
        return {
            name: {
                "probability": _numbers(effect.probability[:, m]),
                "log_odds": _numbers(effect.log_odds[:, m]),
                "emotion": [None if e == NOTHING else self.config.labels[e] for e in effect.emotion[:, m].tolist()],
            }
            for m, name in enumerate(self.modalities)
        }

    def _changed(self, effect: Effect) -> list[dict[str, Any]]:
        """The predictions that change without another utterance; utterances are numbered from 1."""
        changed = (effect.emotion != self.emotions[:, None]) & (effect.emotion != NOTHING)
        return [
            {"utterance": i + 1, "without": j + 1, "emotion": self.config.labels[effect.emotion[i, j]]}
            for i, j in np.argwhere(changed).tolist()
        ]


def _number(value: float) -> float | None:
    return None if value != value else float(f"{value:.5g}")


def _numbers(values: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - lists in lists, as deep as the array
    """An array as JSON values; NaN is null."""

    def short(part: Any) -> Any:  # noqa: ANN401
        return [short(of) for of in part] if isinstance(part, list) else _number(part)

    return short(values.tolist())
