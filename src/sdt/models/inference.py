"""Inference in PyTorch: predicts the probabilities of a batch.

Conversations longer than a window are split into overlapping windows (`sdt.windows`); memory for activations then does
not grow with the length of a conversation.

Shapes: N utterances of the batch; M modalities; C labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.models.base import Model, Output, check_output
from sdt.models.batch_prediction import BatchPrediction
from sdt.models.config import ModelConfig
from sdt.windows import RowIndex, Windows, forward_passes


def infer(
    model: Model, batch: Batch, windows: Windows | None = None, device: torch.device | None = None
) -> BatchPrediction:
    """Predict the probabilities of every utterance of a batch; see `forward_windows` for the arguments and errors."""
    present = present_modalities(batch, model.config)
    parts = [
        (rows, calibrated(model, output, present[rows]))
        for rows, output in forward_windows(model, batch, windows, device)
    ]
    return BatchPrediction.merge(parts, len(batch))


def calibrated(model: Model, output: Output, present: npt.NDArray[np.bool_]) -> BatchPrediction:
    """Calibrate the output of a model and move it to the host.

    Args:
        model: The model that computed `output`.
        output: Output for N utterances, on any device.
        present: [N, M] whether the utterance has the modality.

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
    for passed in forward_passes(batch.lengths.tolist(), windows, causal=model.attention_context.causal):
        part = batch if passed.excerpts is None else batch.excerpts(passed.excerpts)
        output = check_output(model, model(part.to(device)), len(part))
        yield passed.rows, output if isinstance(passed.within, slice) else _select(output, passed.within)


def calibrate(logits: Tensor, config: ModelConfig, classifier: str) -> Tensor:
    """Divide the logits [N, C] of a classifier by its temperature and apply softmax, in float32."""
    return (logits.float() / config.temperatures.get(classifier, 1.0)).softmax(dim=-1)


def present_modalities(batch: Batch, config: ModelConfig) -> npt.NDArray[np.bool_]:
    """Return which of the model's modalities each utterance of a batch on the CPU has, [N, M]."""
    return torch.stack([batch.present[name] for name in config.modalities], dim=1).numpy()


def _select(output: Output, rows: npt.NDArray[np.int64]) -> Output:
    """Select rows of an output."""
    index = torch.from_numpy(rows).to(next(iter(output.logits.values())).device)
    return replace(
        output,
        logits={name: x[index] for name, x in output.logits.items()},
        weights=None if output.weights is None else output.weights[index],
        states={name: x[index] for name, x in output.states.items()},
    )
