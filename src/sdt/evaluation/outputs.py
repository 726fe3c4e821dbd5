"""What a model says of every utterance of a corpus.

Shapes: N utterances, M modalities, C classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from sdt.encoders.encoder import STAND_INS
from sdt.errors import InputError, near_miss
from sdt.evaluation.reading import said
from sdt.files import atomic_file
from sdt.formats.records import prediction_record
from sdt.models.config import FUSED, ModelConfig
from sdt.windows import Windows

if TYPE_CHECKING:
    from sdt.models.base import Model


@dataclass(frozen=True, eq=False)
class Outputs:
    """A model's outputs, in the order of the conversations that it was given."""

    probabilities: dict[str, npt.NDArray[np.float32]]
    """Head (`fused`, then the modalities that have one) to [N, C]; rows sum to 1. Calibrated: the logits were
    divided by the model's temperature for this head, which changes no argmax."""
    label: npt.NDArray[np.int64]
    """[N] annotated class numbers in the model's order; `UNLABELLED` where there is none."""
    weights: npt.NDArray[np.float32] | None
    """[N, M] how much each modality weighed in the fusion, the mean over the model's dimensions; None where the model
    has no such weights."""
    places: Sequence[UtteranceKey]
    """[N] (conversation id, utterance id)."""
    present: npt.NDArray[np.bool_] | None = None
    """[N, M] whether the utterance has the modality, as the model saw it; None where nobody has noted it."""


def check_fit(config: ModelConfig, corpus: Corpus) -> list[str]:
    """Whether a model can be run on a corpus. A corpus may have more modalities than the model, but no fewer.

    Returns:
        What the user should know, one line each: features that another encoder made than the model's.

    Raises:
        InputError: The corpus lacks a modality of the model, has it in another width, or has labels that the model
            does not know.
    """
    notes = []
    for name, width in config.modalities.items():
        if name not in corpus.modalities:
            raise InputError(
                f"{corpus.folder}: the corpus has no modality {name!r}, which the model needs "
                f"(corpus: {', '.join(corpus.modalities)}; model: {', '.join(config.modalities)})"
            )
        modality = corpus.modalities[name]
        if modality.width != width:
            raise InputError(
                f"{corpus.folder}: modality {name!r} has width {modality.width} (encoder {modality.encoder!r}), but "
                f"the model needs width {width} (encoder {config.encoders.get(name, 'unknown')!r}); import the corpus "
                "with the model's encoder"
            )
        own = config.encoders.get(name, modality.encoder)
        if _weights(own) != _weights(modality.encoder):
            alike = _stand_in(own) == _stand_in(modality.encoder)
            notes.append(
                f"modality {name!r}: the corpus' features come from the encoder {modality.encoder!r}, those that the "
                f"model needs from {own!r}; "
                + ("they come close to each other" if alike else "the scores mean little unless they are the same")
            )
    unknown = [label for label in corpus.labels if label not in config.labels]
    if unknown:
        raise InputError(
            f"{corpus.folder}: the corpus has labels that the model does not know: {', '.join(unknown)} "
            f"(the model's are: {', '.join(config.labels)})"
        )
    return notes


def _weights(encoder: str) -> str:
    """An encoder's name without the place of its weights, where it says by digits which ones they are."""
    return re.sub(r"^.*(?=@[0-9a-f]{8}\b)", "", encoder)


def _stand_in(encoder: str) -> str:
    """An encoder's name, that of tables of others replaced by this program's encoder for them."""
    name, bar, steps = encoder.partition("|")
    return STAND_INS.get(name, name) + bar + steps


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
) -> Outputs:
    """Run a model over conversations of a corpus, in evaluation mode and float32; the mode is restored afterwards.

    Args:
        model: The model; moved to `device`.
        corpus: Where the conversations' features are.
        conversations: What to run it on; in the outputs they keep this order.
        modalities: Those that the model may look at, the others count as missing; None for all of the model's.
        batch_size: Conversations that are computed together. Results of other sizes differ by rounding only.
        windows: How longer conversations are cut; None for not at all. See `sdt.evaluation.reading`.
        device: Where to compute; None for where the model is.
        change: What is done to each packed batch before the model reads it; it must not depend on which conversations
            happen to share the batch.
        progress: Called after each batch with the number of its conversations.

    Raises:
        InputError: See `check_fit`; or the model has no such modality; or a probability is not a finite number.
    """
    config = model.config
    check_fit(config, corpus)
    for name in modalities or ():
        if name not in config.modalities:
            raise InputError(f"the model has no modality {name!r}{near_miss(name, config.modalities)}")
    device = device or next(model.parameters()).device
    lengths = conversation_lengths(conversations)
    first_row = np.concatenate([[0], np.cumsum(lengths)])
    size = int(first_row[-1])
    heads = model.heads
    outputs = Outputs(
        probabilities={head: np.empty((size, len(config.labels)), dtype=np.float32) for head in heads},
        label=np.full(size, UNLABELLED, dtype=np.int64),
        weights=None,
        places=utterance_keys(conversations),
    )
    # Conversations of like length share a batch, so that attention pads little; the longest go first, so that memory
    # runs out at once if it does.
    order = np.argsort(-lengths, kind="stable").tolist()
    batches = split_batches(
        corpus,
        select(conversations, order),
        batch_size,
        modalities=tuple(config.modalities),
        labels=config.labels,
        speakers=config.speakers,
    )
    weights = np.empty((size, len(config.modalities)), dtype=np.float32)
    present = np.empty((size, len(config.modalities)), dtype=np.bool_)
    weighed = False
    was_training = model.training
    model.to(device).eval()
    try:
        with torch.inference_mode():
            done = 0
            for batch in batches:
                members = order[done : done + len(batch.lengths)]
                rows = np.concatenate([np.arange(first_row[i], first_row[i + 1]) for i in members])
                seen = batch if modalities is None else batch.only(modalities)
                seen = change(seen) if change else seen
                present[rows] = present_in(seen, config)
                prediction_record = said(model, seen, windows, device)
                for head in heads:
                    outputs.probabilities[head][rows] = prediction_record.probabilities[head]
                if prediction_record.weights is not None:
                    weights[rows] = prediction_record.weights
                    weighed = True
                outputs.label[rows] = batch.label.numpy()
                done += len(members)
                if progress:
                    progress(len(members))
    finally:
        model.train(was_training)
    for head, probabilities in outputs.probabilities.items():
        bad = ~np.isfinite(probabilities).all(axis=1)  # [N]
        if bad.any():
            conversation, utterance = outputs.places[int(bad.argmax())]
            raise InputError(
                f"{corpus.folder}: conversation {conversation!r}, utterance {utterance!r}: the model's {head} output "
                "is not finite; the model is damaged or the features are extreme"
            )
    return replace(outputs, weights=weights if weighed else None, present=present)


def present_in(batch: Batch, config: ModelConfig) -> npt.NDArray[np.bool_]:
    """Which modalities of the model the utterances of a batch on the CPU have, [N, M]."""
    return torch.stack([batch.present[name] for name in config.modalities], dim=1).numpy()


def predictions(outputs: Outputs, config: ModelConfig, *, infer: bool = True) -> list[Prediction]:
    """The outputs as predictions, one for each utterance.

    Args:
        outputs: What `run_model` returned.
        config: The configuration of the model that was run.
        infer: Whether an utterance without any modality has the emotion that the model infers from its context, and is
            marked as `inferred`; else it has no emotion.
    """
    return list(each_prediction(outputs, config, infer=infer))


def each_prediction(outputs: Outputs, config: ModelConfig, *, infer: bool = True) -> Iterator[Prediction]:
    """The same one after another: a prediction takes many times the memory of its numbers."""

    def named(row: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, float]:
        return dict(zip(names, row.tolist(), strict=True))

    fused = outputs.probabilities[FUSED]
    heads = [head for head in outputs.probabilities if head != FUSED]
    for row, (conversation, utterance) in enumerate(outputs.places):
        has = dict.fromkeys(config.modalities, True)
        if outputs.present is not None:
            has = dict(zip(config.modalities, outputs.present[row].tolist(), strict=True))
        weights = {} if outputs.weights is None else named(outputs.weights[row], config.modalities)
        anything = any(has.values())
        yield Prediction(
            conversation=conversation,
            utterance=utterance,
            emotion=config.labels[int(fused[row].argmax())] if anything or infer else None,
            probabilities=named(fused[row], config.labels) if anything or infer else {},
            branches={
                head: named(outputs.probabilities[head][row], config.labels) if has[head] else None for head in heads
            },
            weights={modality: weight if has[modality] else None for modality, weight in weights.items()},
            inferred=infer and not anything,
        )


def write_predictions(
    path: Path, predictions: Iterable[Prediction], conversations: Sequence[Conversation] = ()
) -> None:
    """Write predictions as JSON Lines, whole or not at all; probabilities have six significant digits.

    Args:
        path: The file.
        predictions: One line each.
        conversations: Where to look up an utterance's `speaker` and annotated `label`; without them these keys are
            left out.
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
            if said := known.get(prediction.utterance):
                line["speaker"] = said.speaker
                if said.label is not None:
                    line["label"] = said.label
            line |= prediction_record(prediction)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
