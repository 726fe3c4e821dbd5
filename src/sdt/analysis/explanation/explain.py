"""Everything that is said of one conversation.

Shapes: T utterances; M modalities; H heads; C labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sdt.analysis.explanation.attention import Maps, record_attention
from sdt.analysis.explanation.occlusion import NOTHING, Effect, Occlusion, occlude
from sdt.batch import Batch
from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.models.base import Model, checked
from sdt.models.config import FUSED, ModelConfig
from sdt.models.context import Context
from sdt.models.inference import calibrated

LONGEST = 1000
"""Utterances of a conversation that can be explained: the time grows with the cube of their number."""
HEADS_UP_TO = 100
"""Utterances up to which JSON holds the attention of every head; beyond that its mean over the heads alone."""
LOW, HIGH = 10, 90
"""Percentiles over the model's dimensions."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Weights:
    """What each modality weighs in the fusion, each [T, M]; there may be one weight for each of d dimensions."""

    mean: Floats
    """They sum to 1 over the modalities; 0 where an utterance lacks one. Without meaning where it lacks all."""
    deviation: Floats
    """The standard deviation over the dimensions."""
    low: Floats
    """The 10th percentile over the dimensions."""
    high: Floats
    """The 90th percentile over the dimensions."""

    @property
    def per_dimension(self) -> bool:
        """Whether the weights differ from dimension to dimension."""
        return bool((self.deviation > 1e-6).any())


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model does with one conversation."""

    conversation: Conversation
    config: ModelConfig
    context: Context
    """What an utterance reads of the conversation."""
    present: npt.NDArray[np.bool_]
    """[T, M]; which modalities each utterance has."""
    probabilities: Mapping[str, Floats]
    """Head (`fused`, then each modality's branch) to calibrated probabilities [T, C]."""
    weights: Weights | None
    """None where the model's fusion has none."""
    fusion_weights: str
    """What the weights are: `learned`, or as the fusion states."""
    attention: Sequence[Maps]
    """Of each layer of the encoders, the first layer first; empty for a model whose attention cannot be recorded."""
    occlusion: Occlusion
    notes: Sequence[str] = field(default_factory=tuple)
    """What a reader should know, one line each."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The M modalities in the order of the arrays' columns."""
        return tuple(self.config.modalities)

    @property
    def branches(self) -> tuple[str, ...]:
        """The modalities that have a classifier of their own."""
        return tuple(head for head in self.probabilities if head != FUSED)

    @property
    def emotions(self) -> npt.NDArray[np.int64]:
        """[T]; the number of the predicted emotion."""
        found: npt.NDArray[np.int64] = self.probabilities[FUSED].argmax(axis=1)
        return found

    def disagreeing(self, modality: str) -> npt.NDArray[np.bool_]:
        """[T]; where a branch says another emotion than the fused prediction, and the utterance has its modality."""
        own = self.present[:, self.modalities.index(modality)]
        other: npt.NDArray[np.bool_] = (self.probabilities[modality].argmax(axis=1) != self.emotions) & own
        return other

    def to_dict(self) -> dict[str, Any]:
        """JSON values; numbers have five significant digits.

        Null stands where the utterance lacks the modality, and where there was nothing to remove.
        """
        names, labels = self.modalities, self.config.labels
        return {
            "conversation": self.conversation.id,
            "modalities": list(names),
            "labels": list(labels),
            "notes": list(self.notes),
            "fusion": self._fusion(),
            "utterances": [self._utterance(i, said) for i, said in enumerate(self.conversation.utterances)],
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
        """What the fusion does: whether its weights are learned, and the mean weights; None without weights."""
        if self.weights is None:
            return None
        return {
            "weights": self.fusion_weights,
            "per_dimension": self.weights.per_dimension,
            "mean": dict(zip(self.modalities, _numbers(self.weights.mean.mean(axis=0)), strict=True)),
        }

    def _utterance(self, i: int, said: Utterance) -> dict[str, Any]:
        names, labels, weights = self.modalities, self.config.labels, self.weights
        present = dict(zip(names, self.present[i].tolist(), strict=True))
        return {
            "order": i + 1,
            "utterance": said.id,
            "speaker": said.speaker,
            "text": said.text,
            "label": said.label,
            "emotion": labels[self.emotions[i]],
            "probability": _number(self.probabilities[FUSED][i].max()),
            "inferred": not any(present.values()),
            "probabilities": {
                head: dict(zip(labels, _numbers(of[i]), strict=True)) if present.get(head, True) else None
                for head, of in self.probabilities.items()
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
        """The predictions that become another without an utterance; both are counted from 1."""
        changed = (effect.emotion != self.emotions[:, None]) & (effect.emotion != NOTHING)
        return [
            {"utterance": i + 1, "without": j + 1, "emotion": self.config.labels[effect.emotion[i, j]]}
            for i, j in np.argwhere(changed).tolist()
        ]


def explain(
    model: Model,
    batch: Batch,
    conversation: Conversation,
    *,
    device: torch.device | None = None,
    notes: Sequence[str] = (),
    progress: Callable[[int], object] | None = None,
) -> Explanation:
    """Explain what a model says of a conversation, in evaluation mode and float32; the mode is restored afterwards.

    Args:
        model: Moved to `device`.
        batch: The conversation, packed (`sdt.corpus.batches.corpus_batch`).
        conversation: What was said.
        device: Where to compute; None for where the model is.
        notes: What is known already.
        progress: Called with the number of readings done, of `occlusion.readings(batch)`.

    Raises:
        InputError: The conversation is too long, has no modality of the model anywhere, or the model's output is not
            finite.
    """
    where = f"conversation {conversation.id!r}"
    present = np.stack([of.cpu().numpy() for of in batch.present.values()], axis=1)  # [T, M]
    check_length(conversation)
    if not present.any():
        raise InputError(f"{where}: no utterance has any of {', '.join(batch.present)}; there is nothing to explain")
    was_training = model.training
    device = device or next(model.parameters()).device
    model.to(device).eval()
    try:
        with torch.inference_mode():
            batch = batch.to(device)
            output = checked(model, model(batch), len(conversation))
            attention = record_attention(model, batch)[1] if model.supports_attention_weights else []
            probabilities = {h: calibrated(z, model.config, h).cpu().numpy() for h, z in output.logits.items()}
            for i, said in enumerate(conversation.utterances):
                if not all(np.isfinite(of[i]).all() for of in probabilities.values()):
                    raise InputError(
                        f"{where}, utterance {said.id!r}: the model's output is not finite; the model is damaged or "
                        "the features are extreme"
                    )
            occlusion = occlude(model, batch, output.logits[FUSED], progress)
    finally:
        model.train(was_training)
    return Explanation(
        conversation,
        model.config,
        model.attention_context,
        present,
        probabilities,
        None if output.weights is None else _weights(output.weights.float().cpu().numpy()),
        model.fusion_weights,
        attention,
        occlusion,
        (*notes, *_notes(conversation, model, present, notes, weighed=output.weights is not None)),
    )


def _weights(weights: Floats) -> Weights:
    """From [T, M, d]."""
    low, high = np.percentile(weights, (LOW, HIGH), axis=2).astype(np.float32)
    return Weights(weights.mean(axis=2), weights.std(axis=2), low, high)


def check_length(conversation: Conversation) -> None:
    """Refuse a conversation that is too long.

    Raises:
        InputError: It is.
    """
    if len(conversation) > LONGEST:
        raise InputError(
            f"conversation {conversation.id!r}: has {len(conversation):,} utterances, and at most {LONGEST:,} can be "
            "explained; cut it into parts"
        )


def _notes(
    conversation: Conversation, model: Model, present: npt.NDArray[np.bool_], known: Sequence[str], *, weighed: bool
) -> list[str]:
    notes, config = [], model.config
    if not weighed:
        notes.append(f"{model.called()} has no fusion weights")
    elif model.fusion_weights != "learned" and len(config.modalities) > 1:
        notes.append(f"the weights of the fusion are not learned: {model.fusion_weights}")
    if not model.supports_attention_weights:
        notes.append(f"the attention of {model.called()} cannot be shown")
    if len(model.heads) > 1 and not {"hard", "soft"} & set(model.trained_terms):
        notes.append("the classifiers of the branches were not trained; their predictions mean nothing")
    for m, name in enumerate(config.modalities):
        lacking = int((~present[:, m]).sum())
        if lacking and not any(
            note.startswith(f"{name}: ") for note in known
        ):  # else it is said there, with the reason
            notes.append(f"{name}: missing in {lacking} of {len(conversation)} utterances")
    if model.attention_context.causal:
        notes.append(
            f"the model's context is {model.attention_context}: nothing that comes later has a part in a prediction"
        )
    if bare := int((~present.any(axis=1)).sum()):
        notes.append(
            f"{bare} of {len(conversation)} utterances have no modality: their emotions are inferred from the context"
        )
    if len(conversation) > HEADS_UP_TO and model.supports_attention_weights:
        notes.append(
            f"explanation.json holds the attention's mean over the heads alone: {len(conversation)} utterances are "
            f"more than {HEADS_UP_TO}"
        )
    return notes


def _number(value: float) -> float | None:
    return None if value != value else float(f"{value:.5g}")


def _numbers(values: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - lists in lists, as deep as the array
    """An array as JSON values; NaN is null."""

    def short(part: Any) -> Any:  # noqa: ANN401
        return [short(of) for of in part] if isinstance(part, list) else _number(part)

    return short(values.tolist())
