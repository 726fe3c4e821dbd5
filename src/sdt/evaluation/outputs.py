"""The outputs of a model for the conversations of a split, and their prediction file.

Shapes: N utterances, M modalities, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from sdt.batch import Batch
from sdt.conversation import UNLABELLED, Conversation, Prediction, Utterance
from sdt.corpus.batches import split_batches
from sdt.corpus.selection import Selection, UtteranceKey, conversation_lengths, select, utterance_keys
from sdt.corpus.store import Corpus
from sdt.errors import InputError, near_miss
from sdt.evaluation.compatibility import check_compatibility
from sdt.files import atomic_file
from sdt.formats.records import prediction_record
from sdt.models.batch_prediction import BatchPrediction, to_predictions
from sdt.models.config import ModelConfig
from sdt.models.inference import infer
from sdt.windows import Windows

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus
    from sdt.models.base import Model


@dataclass(frozen=True, eq=False)
class SplitOutputs(BatchPrediction):
    """The outputs of a model for N utterances, in the order of the given conversations."""

    label: npt.NDArray[np.int64]
    """[N] annotated class numbers in the model's order; `UNLABELLED` for utterances without a label."""
    utterance_keys: Sequence[UtteranceKey]
    """[N] (conversation id, utterance id)."""

    def predictions(self, config: ModelConfig) -> Iterator[Prediction]:
        """Yield one prediction per utterance; the emotion of an utterance without any modality is `inferred`."""
        return to_predictions(self, config, self.utterance_keys, infer_absent=True)


def run_model(
    model: Model,
    corpus: Corpus,
    conversations: Sequence[Conversation],
    *,
    modalities: Sequence[str] | None = None,
    batch_size: int = 32,
    windows: Windows | None = None,
    device: torch.device | None = None,
    change: Callable[[Batch], Batch] | None = None,
    progress: Callable[[int], object] | None = None,
) -> SplitOutputs:
    """Run a model on conversations of a corpus, in evaluation mode and float32; restores the mode afterwards.

    Args:
        model: The model; it is moved to `device`.
        corpus: The corpus with the features.
        conversations: The conversations; outputs are in this order.
        modalities: Modalities that the model receives, the others are treated as missing; None for all.
        batch_size: Number of conversations per batch. Other sizes change results by rounding errors only.
        windows: How to split long conversations; None to run every conversation as a whole; see `sdt.models.inference`.
        device: Device; None for the model's present device.
        change: Function applied to each packed batch before the model; its result for a conversation must not depend on
            the other conversations of the batch.
        progress: Called after each batch with its number of conversations.

    Raises:
        InputError: See `check_compatibility`; or the model does not have a modality, or a probability is not finite.
    """
    config = model.config
    check_compatibility(config, corpus)
    for name in modalities or ():
        if name not in config.modalities:
            raise InputError(f"the model has no modality {name!r}{near_miss(name, config.modalities)}")
    device = device or next(model.parameters()).device
    lengths = conversation_lengths(conversations)
    first_row = np.concatenate([[0], np.cumsum(lengths)])
    size = int(first_row[-1])
    shape = (size, len(config.modalities))
    probabilities = {
        classifier: np.empty((size, len(config.labels)), dtype=np.float32) for classifier in model.classifier_names
    }
    label = np.full(size, UNLABELLED, dtype=np.int64)
    weights, has_weights = np.empty(shape, dtype=np.float32), False
    present = np.empty(shape, dtype=np.bool_)
    # Batches have conversations of similar length, to reduce padding; the longest come first, so that a lack of memory
    # shows immediately.
    order = np.argsort(-lengths, kind="stable").tolist()
    batches = split_batches(
        corpus,
        select(conversations, order),
        batch_size,
        modalities=tuple(config.modalities),
        labels=config.labels,
        speakers=config.speakers,
    )
    was_training = model.training
    model.to(device).eval()
    try:
        with torch.inference_mode():
            done = 0
            for batch in batches:
                members = order[done : done + len(batch.lengths)]
                rows = np.concatenate([np.arange(first_row[i], first_row[i + 1]) for i in members])
                inputs = batch if modalities is None else batch.only(modalities)
                inputs = change(inputs) if change else inputs
                found = infer(model, inputs, windows, device)
                for classifier in model.classifier_names:
                    probabilities[classifier][rows] = found.probabilities[classifier]
                if found.weights is not None:
                    weights[rows], has_weights = found.weights, True
                present[rows] = found.present
                label[rows] = batch.label.numpy()
                done += len(members)
                if progress:
                    progress(len(members))
    finally:
        model.train(was_training)
    outputs = SplitOutputs(
        probabilities, weights if has_weights else None, present, label, utterance_keys=utterance_keys(conversations)
    )
    outputs.check_finite(outputs.utterance_keys, f"{corpus.folder}: ")
    return outputs


def write_predictions(
    path: Path, predictions: Iterable[Prediction], conversations: Sequence[Conversation] = ()
) -> None:
    """Write predictions as JSON Lines, atomically; probabilities have six significant digits.

    Args:
        path: The file.
        predictions: The predictions, one per line.
        conversations: Provide the `speaker` and annotated `label` of utterances; otherwise these keys are omitted.
    """
    by_id: Mapping[str, Conversation] = (
        conversations.source if isinstance(conversations, Selection) else {c.id: c for c in conversations}
    )
    last, known = None, dict[str, Utterance]()
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            line: dict[str, object] = {"conversation": prediction.conversation, "utterance": prediction.utterance}
            if prediction.conversation != last:
                last = prediction.conversation
                found = by_id.get(last)
                known = {utterance.id: utterance for utterance in found.utterances} if found else {}
            if spoken := known.get(prediction.utterance):
                line["speaker"] = spoken.speaker
                if spoken.label is not None:
                    line["label"] = spoken.label
            line |= prediction_record(prediction)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
