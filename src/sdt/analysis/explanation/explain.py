"""Explanation of the predictions for one conversation: fusion weights, attention, branches and occlusion.

Shapes: T utterances; M modalities; H heads; C labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from sdt.analysis.explanation.attention import record_attention
from sdt.analysis.explanation.explanation import HEADS_UP_TO, HIGH, LONGEST, LOW, Explanation, Floats, Weights
from sdt.analysis.explanation.occlusion import occlude
from sdt.batch import Batch
from sdt.conversation import Conversation
from sdt.errors import InputError
from sdt.models.base import Model, check_output
from sdt.models.config import FUSED
from sdt.models.inference import calibrate


def explain(
    model: Model,
    batch: Batch,
    conversation: Conversation,
    *,
    device: torch.device | None = None,
    notes: Sequence[str] = (),
    progress: Callable[[int], object] | None = None,
) -> Explanation:
    """Explain the predictions of a model for a conversation, in evaluation mode and float32; restores the mode.

    Args:
        model: The model; it is moved to `device`.
        batch: The packed conversation (`sdt.corpus.batches.corpus_batch`).
        conversation: The conversation.
        device: Device; None for the model's present device.
        notes: Notes to include in the explanation.
        progress: Called with the number of finished forward passes, of `occlusion.count_forward_passes(batch)`.

    Raises:
        InputError: The conversation is too long, no utterance has a modality of the model, or the output is not finite.
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
            output = check_output(model, model(batch), len(conversation))
            attention = record_attention(model, batch)[1] if model.supports_attention_weights else []
            probabilities = {h: calibrate(z, model.config, h).cpu().numpy() for h, z in output.logits.items()}
            for i, utterance in enumerate(conversation.utterances):
                if not all(np.isfinite(of[i]).all() for of in probabilities.values()):
                    raise InputError(
                        f"{where}, utterance {utterance.id!r}: the output of the model is not finite; the model is "
                        "damaged or the features are extreme"
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
    """Summarise weights [T, M, d] over the dimensions."""
    low, high = np.percentile(weights, (LOW, HIGH), axis=2).astype(np.float32)
    return Weights(weights.mean(axis=2), weights.std(axis=2), low, high)


def check_length(conversation: Conversation) -> None:
    """Check that a conversation is not too long to be explained.

    Raises:
        InputError: The conversation is too long.
    """
    if len(conversation) > LONGEST:
        raise InputError(
            f"conversation {conversation.id!r}: {len(conversation):,} utterances are more than the maximum of "
            f"{LONGEST:,} that can be explained; split the conversation"
        )


def _notes(
    conversation: Conversation, model: Model, present: npt.NDArray[np.bool_], known: Sequence[str], *, weighed: bool
) -> list[str]:
    notes, config = [], model.config
    if not weighed:
        notes.append(f"{model.display_name()} has no fusion weights")
    elif model.fusion_weights != "learned" and len(config.modalities) > 1:
        notes.append(f"the fusion weights are not learned: {model.fusion_weights}")
    if not model.supports_attention_weights:
        notes.append(f"{model.display_name()} does not provide attention weights")
    if len(model.classifier_names) > 1 and not {"hard", "soft"} & set(model.trained_terms):
        notes.append("the classifiers of the branches were not trained; ignore their predictions")
    for m, name in enumerate(config.modalities):
        missing = int((~present[:, m]).sum())
        # A known note about the modality already states the number and the reason.
        if missing and not any(note.startswith(f"{name}: ") for note in known):
            notes.append(f"{name}: missing in {missing} of {len(conversation)} utterances")
    if model.attention_context.causal:
        notes.append(
            f"the context of the model is {model.attention_context}; later utterances do not affect predictions"
        )
    if absent := int((~present.any(axis=1)).sum()):
        notes.append(
            f"{absent} of {len(conversation)} utterances have no modality; their emotions are inferred from the context"
        )
    if len(conversation) > HEADS_UP_TO and model.supports_attention_weights:
        notes.append(
            f"explanation.json contains attention averaged over the heads only, because the conversation has more than "
            f"{HEADS_UP_TO} utterances"
        )
    return notes
