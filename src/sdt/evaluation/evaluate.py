"""Evaluates a model on a split of a corpus and writes scores, predictions and figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sdt.conversation import Conversation
from sdt.corpus.selection import has_labels
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.calibration import calibration_error, calibration_errors
from sdt.evaluation.compatibility import check_fit
from sdt.evaluation.figure import write_confusion
from sdt.evaluation.metrics import metrics
from sdt.evaluation.outputs import SplitOutputs, run_model, write_predictions
from sdt.evaluation.remarks import Remark, calibration_remarks, score_remarks
from sdt.evaluation.scores import Scores, caveat, score_classifiers
from sdt.files import atomic_folder, check_folder, write_text
from sdt.models.config import FUSED, ModelConfig
from sdt.windows import Windows

if TYPE_CHECKING:
    from sdt.models.base import Model

SCORES, PREDICTIONS = "scores.json", "predictions.jsonl"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of one model on one split."""

    name: str
    """What the user calls the model: its folder."""
    config: ModelConfig
    corpus: Corpus
    split: str
    conversations: Sequence[Conversation]
    outputs: SplitOutputs
    scores: dict[str, Scores]
    """Head (`fused`, then the modalities that have one) to its scores."""
    notes: list[str]
    """What a reader of the scores should know, one line each."""
    remarks: Sequence[Remark] = ()
    """What is odd about the scores."""

    @property
    def title(self) -> str:
        """What was scored, and the caveat of protocol `published` on a line of its own."""
        unlabelled = len(self.outputs.label) - self.scores[FUSED].utterances
        lines = [
            f"{self.corpus.name}, split {self.split}, {self.scores[FUSED].utterances:,} utterances"
            + (f" (and {unlabelled:,} without a label)" if unlabelled else ""),
            f"model {self.name}",
            caveat(self.config.provenance),
        ]
        return "\n".join(line for line in lines if line)

    @property
    def weights(self) -> dict[str, float]:
        """Modality to its weight in the fusion, the mean over the utterances that have any modality.

        Empty where the model has no weights, or no utterance has a modality.
        """
        weights, present = self.outputs.weights, self.outputs.present  # [N, M]
        if weights is None or not present.any():
            return {}
        mean = weights[present.any(axis=1)].mean(axis=0, dtype=np.float64).tolist()
        return dict(zip(self.config.modalities, mean, strict=True))

    @property
    def calibration_error(self) -> float:
        """The expected calibration error of the fused prediction; see `sdt.evaluation.calibration`."""
        return calibration_error(self.outputs.probabilities[FUSED], self.outputs.label)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; `caveat` is there only where there is one."""
        warning = caveat(self.config.provenance)
        return {
            "model": self.name,
            "corpus": self.corpus.name,
            "corpus_sha256": self.corpus.fingerprint,
            "split": self.split,
            **({"caveat": warning} if warning else {}),
            "notes": self.notes,
            "remarks": [remark.to_dict() for remark in self.remarks],
            "scores": {head: scores.to_dict() for head, scores in self.scores.items()},
            "expected_calibration_error": self.calibration_error,
            "temperature": self.config.temperature,
            **({"weights": self.weights} if self.weights else {}),
        }


def evaluate(
    model: Model,
    corpus: Corpus,
    split: str,
    *,
    name: str,
    modalities: Sequence[str] | None = None,
    batch_size: int = 32,
    windows: Windows | None = None,
    device: torch.device | None = None,
    progress: Callable[[int], object] | None = None,
) -> Evaluation:
    """Score a model on a split of a corpus.

    Args:
        model: The model.
        corpus: The corpus; see `compatibility.check_fit` for which ones fit.
        split: `train`, `dev` or `test`.
        name: What to call the model in titles.
        modalities: Those that the model may look at; None for all.
        batch_size: Conversations that are computed together.
        windows: How longer conversations are cut; None for not at all.
        device: Where to compute; None for where the model is.
        progress: See `run_model`.

    Raises:
        InputError: The corpus does not fit the model, or has no such split, or no labels there.
    """
    conversations = corpus.split(split)
    if not has_labels(conversations):
        raise InputError(f"{corpus.folder}: split {split!r} has no labelled utterances; scores need the annotation")
    notes = check_fit(model.config, corpus) + _familiarity(model.config, corpus, split)
    if modalities is not None:
        notes.append(f"the model was shown {', '.join(modalities)} alone; the other modalities counted as missing")
    if windows is not None and (cut := sum(len(conversation) > windows.size for conversation in conversations)):
        notes.append(
            f"{cut:,} of {len(conversations):,} conversations were read in windows of {windows.size} utterances "
            f"with an overlap of {windows.overlap}"
        )
    outputs = run_model(
        model,
        corpus,
        conversations,
        modalities=modalities,
        batch_size=batch_size,
        windows=windows,
        device=device,
        progress=progress,
    )
    scores = score_classifiers(outputs, model.config.labels)
    remarks = list(score_remarks(name, [{split: scores}], model.trained_terms))
    before, after = calibration_errors(outputs, model.config.temperature)
    remarks += calibration_remarks(name, split, [model.config.temperature], [before], [after])
    return Evaluation(name, model.config, corpus, split, conversations, outputs, scores, notes, remarks)


def _familiarity(config: ModelConfig, corpus: Corpus, split: str) -> list[str]:
    """Whether the model has seen this split, or was made for another corpus."""
    trained_on = config.provenance.get("corpus_sha256")
    if trained_on is None:
        return ["the model does not say which corpus it was trained on; it may have seen these conversations"]
    if trained_on != corpus.fingerprint:
        return [f"this is not the corpus that the model was trained on ({config.provenance.get('corpus', 'unknown')})"]
    published = config.provenance.get("protocol") == "published"
    if split == "train" or (split == "dev" and published):
        return [f"the model was trained on this split ({split}): the scores say nothing about new conversations"]
    if split == "dev":
        return ["the model's epoch was chosen on this split (dev): the scores are a little too good"]
    return []


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that `write_evaluation` could not write, or that holds anything but an earlier evaluation.

    Raises:
        InputError: Says which of these.
    """

    def mine(name: str) -> bool:
        return name in (SCORES, PREDICTIONS) or name.startswith("confusion")

    check_folder(folder, mine, "an evaluation", overwrite=overwrite)


def write_evaluation(evaluation: Evaluation, folder: Path, *, overwrite: bool = False) -> None:
    """Write `scores.json`, `predictions.jsonl`, `confusion.png` (fused) and one `confusion-MODALITY.png` each.

    Raises:
        InputError: See `check_output`.
    """
    check_output(folder, overwrite=overwrite)
    labels = evaluation.config.labels
    with atomic_folder(folder, overwrite=overwrite) as aside:
        write_text(aside / SCORES, json.dumps(evaluation.to_dict(), indent=1, ensure_ascii=False) + "\n")
        predictions = evaluation.outputs.predictions(evaluation.config)
        write_predictions(aside / PREDICTIONS, predictions, evaluation.conversations)
        for head, scores in evaluation.scores.items():
            picture = "confusion.png" if head == FUSED else f"confusion-{head}.png"
            shown = (f"{metric.title} {metric.text(scores.metrics[name])}" for name, metric in metrics().items())
            heading = f"{head}: {', '.join(shown)}"
            write_confusion(aside / picture, scores.confusion, labels, f"{heading}\n{evaluation.title}")
