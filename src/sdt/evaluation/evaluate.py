"""Evaluation of a model on a split of a corpus: scores, predictions and figures."""

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
from sdt.evaluation.compatibility import check_compatibility
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
    """The scores of one model, or of an ensemble (see `sdt.evaluation.ensemble`), on one split."""

    name: str
    """The model as named by the user: its folder."""
    config: ModelConfig
    corpus: Corpus
    split: str
    conversations: Sequence[Conversation]
    outputs: SplitOutputs
    scores: dict[str, Scores]
    """Classifier (`fused`, then modalities) to its scores."""
    notes: list[str]
    """Notes on the interpretation of the scores, one line each."""
    remarks: Sequence[Remark] = ()
    """Remarks on unusual scores."""
    terms: tuple[str, ...] = ()
    """The objective terms that trained the model."""
    members: tuple[str, ...] = ()
    """The models of an ensemble, as named by the user."""

    @property
    def title(self) -> str:
        """Title of tables and figures; the caveat of the protocol `published` is a separate line."""
        unlabelled = len(self.outputs.label) - self.scores[FUSED].utterances
        lines = [
            f"{self.corpus.name}, split {self.split}, {self.scores[FUSED].utterances:,} utterances"
            + (f" (and {unlabelled:,} without a label)" if unlabelled else ""),
            self.name if self.members else f"model {self.name}",
            caveat(self.config.provenance),
        ]
        return "\n".join(line for line in lines if line)

    @property
    def weights(self) -> dict[str, float]:
        """Modality to its mean fusion weight over the utterances that have any modality.

        Empty if the model has no fusion weights or no utterance has a modality.
        """
        weights, present = self.outputs.weights, self.outputs.present  # [N, M]
        if weights is None or not present.any():
            return {}
        mean = weights[present.any(axis=1)].mean(axis=0, dtype=np.float64).tolist()
        return dict(zip(self.config.modalities, mean, strict=True))

    @property
    def calibration_error(self) -> float:
        """The expected calibration error of the fused classifier; see `sdt.evaluation.calibration`."""
        return calibration_error(self.outputs.probabilities[FUSED], self.outputs.label)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `caveat` only if there is one."""
        warning = caveat(self.config.provenance)
        return {
            "model": self.name,
            **({"ensemble": list(self.members)} if self.members else {}),
            "corpus": self.corpus.name,
            "corpus_sha256": self.corpus.fingerprint,
            "split": self.split,
            **({"caveat": warning} if warning else {}),
            "notes": self.notes,
            "remarks": [remark.to_dict() for remark in self.remarks],
            "scores": {classifier: scores.to_dict() for classifier, scores in self.scores.items()},
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
        corpus: A corpus compatible with the model; see `compatibility.check_compatibility`.
        split: `train`, `dev` or `test`.
        name: Name of the model in titles.
        modalities: Modalities that the model receives; None for all.
        batch_size: Number of conversations per batch.
        windows: How to split long conversations; None to run every conversation as a whole.
        device: Device; None for the model's present device.
        progress: See `run_model`.

    Raises:
        InputError: The corpus is not compatible with the model, lacks the split, or has no labels there.
    """
    conversations = corpus.split(split)
    if not has_labels(conversations):
        raise InputError(f"{corpus.folder}: split {split!r} has no labelled utterance; scores need labels")
    notes = check_compatibility(model.config, corpus) + _training_notes(model.config, corpus, split)
    if modalities is not None:
        notes.append(f"the model received only {', '.join(modalities)}; the other modalities were treated as missing")
    if windows is not None and (cut := sum(len(conversation) > windows.size for conversation in conversations)):
        notes.append(
            f"{cut:,} of {len(conversations):,} conversations were split into windows of {windows.size} utterances "
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
    terms = model.trained_terms
    scores, remarks = score_outputs(outputs, model.config, split, name=name, terms=terms)
    return Evaluation(name, model.config, corpus, split, conversations, outputs, scores, notes, remarks, terms)


def score_outputs(
    outputs: SplitOutputs, config: ModelConfig, split: str, *, name: str, terms: tuple[str, ...]
) -> tuple[dict[str, Scores], list[Remark]]:
    """Score the outputs of a model; returns the scores by classifier, and remarks on unusual ones.

    Args:
        outputs: The outputs on the split.
        config: The configuration of the model.
        split: The split, for remarks.
        name: Name of the model, for remarks.
        terms: The objective terms that trained the model.

    Raises:
        InputError: No utterance has a label.
    """
    scores = score_classifiers(outputs, config.labels)
    remarks = list(score_remarks(name, [{split: scores}], terms))
    before, after = calibration_errors(outputs, config.temperature)
    remarks += calibration_remarks(name, split, [config.temperature], [before], [after])
    return scores, remarks


def _training_notes(config: ModelConfig, corpus: Corpus, split: str) -> list[str]:
    """Notes on whether the model was trained on this split or on another corpus."""
    trained_on = config.provenance.get("corpus_sha256")
    if trained_on is None:
        return ["the training corpus of the model is unknown; it may have been trained on these conversations"]
    if trained_on != corpus.fingerprint:
        return [f"the model was trained on another corpus ({config.provenance.get('corpus', 'unknown')})"]
    fold = config.provenance.get("fold", "")
    if fold != corpus.division:
        return [f"the model was trained on {fold or 'the splits of the corpus'}, perhaps on these conversations, too"]
    published = config.provenance.get("protocol") == "published"
    if split == "train" or (split == "dev" and published):
        return [f"the model was trained on this split ({split}); the scores do not apply to new conversations"]
    if split == "dev":
        return ["the epoch of the model was selected on this split (dev); the scores are optimistically biased"]
    return []


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Check that `write_evaluation` can write a folder.

    Raises:
        InputError: The folder cannot be written or contains other files than those of an earlier evaluation.
    """

    def is_own(name: str) -> bool:
        return name in (SCORES, PREDICTIONS) or name.startswith("confusion")

    check_folder(folder, is_own, "an evaluation", overwrite=overwrite)


def write_evaluation(evaluation: Evaluation, folder: Path, *, overwrite: bool = False) -> None:
    """Write `scores.json`, `predictions.jsonl`, `confusion.png` (fused) and one `confusion-MODALITY.png` per modality.

    Raises:
        InputError: See `check_output`.
    """
    check_output(folder, overwrite=overwrite)
    labels = evaluation.config.labels
    with atomic_folder(folder, overwrite=overwrite) as aside:
        write_text(aside / SCORES, json.dumps(evaluation.to_dict(), indent=1, ensure_ascii=False) + "\n")
        predictions = evaluation.outputs.predictions(evaluation.config)
        write_predictions(aside / PREDICTIONS, predictions, evaluation.conversations)
        for classifier, scores in evaluation.scores.items():
            picture = "confusion.png" if classifier == FUSED else f"confusion-{classifier}.png"
            shown = (f"{metric.title} {metric.text(scores.metrics[name])}" for name, metric in metrics().items())
            heading = f"{classifier}: {', '.join(shown)}"
            write_confusion(aside / picture, scores.confusion, labels, f"{heading}\n{evaluation.title}")
