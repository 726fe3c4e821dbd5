"""Inference: predicts the probabilities of a batch and converts them to `Prediction` objects.

Every command that predicts calls `infer`. Conversations longer than a window are split into overlapping windows
(`sdt.windows`); memory for activations then does not grow with the length of a conversation.

Shapes: N utterances of the batch; M modalities; C labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.conversation import Prediction
from sdt.errors import InputError
from sdt.models.base import Model, Output, check_output
from sdt.models.config import FUSED, ModelConfig
from sdt.windows import Windows

WINDOWED_UTTERANCES = 2048
"""Approximate number of utterances per forward pass when conversations are cut into windows."""

RowIndex = slice | npt.NDArray[np.int64]
"""Selects rows of a batch."""


@dataclass(frozen=True, eq=False)
class BatchPrediction:
    """The probabilities that a model predicts for N utterances."""

    probabilities: dict[str, npt.NDArray[np.float32]]
    """Classifier (`fused`, then modalities) to calibrated probabilities [N, C]; rows sum to 1."""
    weights: npt.NDArray[np.float32] | None
    """Fusion weights [N, M], averaged over the model's dimensions; None if the model has no fusion weights."""
    present: npt.NDArray[np.bool_]
    """[N, M] whether the utterance has the modality, as the model received it."""

    @staticmethod
    def from_output(model: Model, output: Output, present: npt.NDArray[np.bool_]) -> BatchPrediction:
        """Calibrate the output of a model and move it to the host.

        Args:
            model: The model that computed `output`.
            output: Output for N utterances, on any device.
            present: [N, M]; see the field.

        Raises:
            InputError: The logits of a classifier are missing, or a tensor has an unexpected shape.
        """
        check_output(model, output, len(present))
        weights = output.weights
        return BatchPrediction(
            {name: calibrate(output.logits[name], model.config, name).cpu().numpy() for name in model.classifier_names},
            None if weights is None else weights.float().mean(dim=-1).cpu().numpy(),
            present,
        )

    def rows(self, index: RowIndex | Sequence[int]) -> BatchPrediction:
        """The predictions of some utterances, in the order of the index."""
        rows = index if isinstance(index, slice) else np.asarray(index, dtype=np.int64)
        return BatchPrediction(
            {name: x[rows] for name, x in self.probabilities.items()},
            None if self.weights is None else self.weights[rows],
            self.present[rows],
        )

    def check_finite(self, utterance_keys: Sequence[tuple[str, str]], where: str = "") -> None:
        """Check that every probability is a finite number.

        Args:
            utterance_keys: [N] (conversation id, utterance id), for the message.
            where: Prefix of the message.

        Raises:
            InputError: A probability is not finite; the message names the first such utterance.
        """
        for name, probabilities in self.probabilities.items():
            bad = ~np.isfinite(probabilities).all(axis=1)  # [N]
            if bad.any():
                conversation, utterance = utterance_keys[int(bad.argmax())]
                raise InputError(
                    f"{where}conversation {conversation!r}, utterance {utterance!r}: the output of classifier {name!r} "
                    "is not finite; the model is damaged or the features are extreme"
                )


def to_predictions(
    batch_prediction: BatchPrediction,
    config: ModelConfig,
    utterance_keys: Iterable[tuple[str, str]],
    *,
    infer_absent: bool = False,
) -> Iterator[Prediction]:
    """Convert rows of probabilities to predictions, lazily: a `Prediction` is much larger than its row.

    Args:
        batch_prediction: N utterances.
        config: The configuration of the model.
        utterance_keys: [N] (conversation id, utterance id).
        infer_absent: Whether an utterance without any modality gets the emotion that the model infers from its context,
            marked as `inferred`; otherwise its emotion is None.
    """

    def named(row: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, float]:
        return dict(zip(names, row.tolist(), strict=True))

    fused, weights = batch_prediction.probabilities[FUSED], batch_prediction.weights
    branches = {name: rows for name, rows in batch_prediction.probabilities.items() if name != FUSED}
    for row, (conversation, utterance) in enumerate(utterance_keys):
        has = dict(zip(config.modalities, batch_prediction.present[row].tolist(), strict=True))
        weighted = {} if weights is None else named(weights[row], config.modalities)
        predicted = infer_absent or any(has.values())
        yield Prediction(
            conversation=conversation,
            utterance=utterance,
            emotion=config.labels[int(fused[row].argmax())] if predicted else None,
            probabilities=named(fused[row], config.labels) if predicted else {},
            branches={name: named(x[row], config.labels) if has[name] else None for name, x in branches.items()},
            weights={modality: weight if has[modality] else None for modality, weight in weighted.items()},
            inferred=infer_absent and not any(has.values()),
        )


def infer(
    model: Model, batch: Batch, windows: Windows | None = None, device: torch.device | None = None
) -> BatchPrediction:
    """Predict the probabilities of every utterance of a batch; see `forward_windows` for the arguments and errors."""
    present = present_modalities(batch, model.config)
    parts = [
        (rows, BatchPrediction.from_output(model, output, present[rows]))
        for rows, output in forward_windows(model, batch, windows, device)
    ]
    if len(parts) == 1 and isinstance(parts[0][0], slice):
        return parts[0][1]
    order = np.concatenate([np.arange(len(batch))[rows] for rows, _ in parts]).argsort()
    weights = [part.weights for _, part in parts if part.weights is not None]
    return BatchPrediction(
        {
            name: np.concatenate([part.probabilities[name] for _, part in parts])[order]
            for name in model.classifier_names
        },
        np.concatenate(weights)[order] if weights else None,
        present,
    )


def forward_windows(
    model: Model, batch: Batch, windows: Windows | None = None, device: torch.device | None = None
) -> Iterator[tuple[RowIndex, Output]]:
    """Run a model on a batch; conversations longer than a window are split into windows.

    Args:
        model: A model in evaluation mode.
        batch: A batch on the CPU.
        windows: How to split long conversations; None to run every conversation as a whole. Positions start at 0 in
            each window; speakers keep their numbers.
        device: The device of the model; None to look it up.

    Yields:
        Rows of the batch and their output. Every row occurs exactly once, in any order.

    Raises:
        InputError: The logits of a classifier are missing, or a tensor has an unexpected shape.
    """
    device = device or next(model.parameters()).device
    if windows is None or batch.longest <= windows.size:
        yield slice(None), check_output(model, model(batch.to(device)), len(batch))
        return
    ends = np.cumsum(batch.lengths.numpy())
    spans = [(int(end) - length, int(end)) for length, end in zip(batch.lengths.tolist(), ends, strict=True)]
    short = [(a, b, a, b) for a, b in spans if b - a <= windows.size]
    if short and len(batch) <= WINDOWED_UTTERANCES:  # the same batch gives bit-identical results as without windows
        output = check_output(model, model(batch.to(device)), len(batch))
        rows = _rows([(a, b) for a, b, *_ in short])
        yield rows, _select(output, rows)
    elif short:
        yield _forward_stretches(model, batch, short, device)
    cut = [
        (a + window.first, a + window.end, a + window.predicts_from, a + window.predicts_to)
        for a, b in spans
        if b - a > windows.size
        for window in windows.split(b - a, causal=model.attention_context.causal)
    ]
    size = max(1, WINDOWED_UTTERANCES // windows.size)
    for first in range(0, len(cut), size):
        yield _forward_stretches(model, batch, cut[first : first + size], device)


def calibrate(logits: Tensor, config: ModelConfig, classifier: str) -> Tensor:
    """Divide the logits [N, C] of a classifier by its temperature and apply softmax, in float32."""
    return (logits.float() / config.temperatures.get(classifier, 1.0)).softmax(dim=-1)


def present_modalities(batch: Batch, config: ModelConfig) -> npt.NDArray[np.bool_]:
    """Return which of the model's modalities each utterance of a batch on the CPU has, [N, M]."""
    return torch.stack([batch.present[name] for name in config.modalities], dim=1).numpy()


def _forward_stretches(
    model: Model, batch: Batch, stretches: Sequence[tuple[int, int, int, int]], device: torch.device
) -> tuple[RowIndex, Output]:
    """Run spans of a batch as conversations; each span is (a, b, c, d): run rows [a, b), return rows [c, d)."""
    part = batch.excerpts([(a, b) for a, b, *_ in stretches])
    output = check_output(model, model(part.to(device)), len(part))
    starts = np.cumsum([0, *(b - a for a, b, *_ in stretches)]).tolist()
    within = [(start + c - a, start + d - a) for start, (a, _, c, d) in zip(starts, stretches, strict=False)]
    return _rows([(c, d) for *_, c, d in stretches]), _select(output, _rows(within))


def _rows(spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in spans])


def _select(output: Output, rows: npt.NDArray[np.int64]) -> Output:
    """Select rows of an output."""
    index = torch.from_numpy(rows).to(next(iter(output.logits.values())).device)
    return replace(
        output,
        logits={name: x[index] for name, x in output.logits.items()},
        weights=None if output.weights is None else output.weights[index],
        states={name: x[index] for name, x in output.states.items()},
    )
