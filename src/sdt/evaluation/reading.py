"""What a model says of a packed batch, of whole conversations or of long ones in windows with overlap.

Every command that predicts reads batches through here. In windows memory does not depend on a conversation's length,
but for its features and what is said of it.

Shapes: N utterances of the batch; R of them; M modalities; C labels; d width of a state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.models.base import Model, Output, checked
from sdt.models.config import ModelConfig
from sdt.models.sdt.model import SDT
from sdt.windows import Windows

TOGETHER = 2048
"""Utterances of windows that are computed together, about."""

Rows = slice | npt.NDArray[np.int64]
"""Of a batch."""


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of N utterances."""

    probabilities: dict[str, npt.NDArray[np.float32]]
    """Head to calibrated probabilities [N, C]."""
    weights: npt.NDArray[np.float32] | None
    """[N, M] how much each modality weighed in the fusion, the mean over the model's dimensions; None where the model
    has no such weights."""

    @classmethod
    def of(cls, model: Model, output: Output) -> Said:
        """What an output says, wherever it was computed."""
        weights = output.weights
        return cls(
            {head: calibrated(output.logits[head], model.config, head).cpu().numpy() for head in model.heads},
            None if weights is None else weights.float().mean(dim=-1).cpu().numpy(),
        )


def said(model: Model, batch: Batch, windows: Windows | None = None, device: torch.device | None = None) -> Said:
    """What a model says of a batch; see `read` for the arguments and errors."""
    parts = [(rows, Said.of(model, output)) for rows, output in read(model, batch, windows, device)]
    if len(parts) == 1 and isinstance(parts[0][0], slice):
        return parts[0][1]
    order = np.concatenate([np.arange(len(batch))[rows] for rows, _ in parts]).argsort()
    weights = [part.weights for _, part in parts if part.weights is not None]
    return Said(
        {head: np.concatenate([part.probabilities[head] for _, part in parts])[order] for head in model.heads},
        np.concatenate(weights)[order] if weights else None,
    )


def read(
    model: Model, batch: Batch, windows: Windows | None = None, device: torch.device | None = None
) -> Iterator[tuple[Rows, Output]]:
    """Let a model read a batch.

    Args:
        model: In evaluation mode.
        batch: On the CPU.
        windows: How conversations that are longer than a window are cut; None for not at all. In each window positions
            begin at 0, as in a conversation of its own; speakers keep their numbers.
        device: Where the model is; None to look it up.

    Yields:
        Rows of the batch with what the model says of them; all rows, each once, in any order.

    Raises:
        InputError: The model gives something else than it promises.
    """
    device = device or next(model.parameters()).device
    lengths = batch.lengths.tolist()
    if windows is None or batch.longest <= windows.size:
        yield slice(None), checked(model, model(batch.to(device)), len(batch))
        return
    ends = np.cumsum(lengths)
    spans = [(int(end) - length, int(end)) for length, end in zip(lengths, ends, strict=True)]
    short = [(a, b, a, b) for a, b in spans if b - a <= windows.size]
    if short and len(batch) <= TOGETHER:  # beside the same neighbours as ever, so that every bit is as ever
        output = checked(model, model(batch.to(device)), len(batch))
        rows = _rows([(a, b) for a, b, *_ in short])
        yield rows, _some(output, rows)
    elif short:
        yield _together(model, batch, short, device)
    causal = isinstance(model, SDT) and model.context.causal
    cut = [
        (a + window.first, a + window.end, a + window.counts_from, a + window.counts_to)
        for a, b in spans
        if b - a > windows.size
        for window in windows.cut(b - a, causal=causal)
    ]
    size = max(1, TOGETHER // windows.size)
    for first in range(0, len(cut), size):
        yield _together(model, batch, cut[first : first + size], device)


def calibrated(logits: Tensor, config: ModelConfig, head: str) -> Tensor:
    """A head's logits [N, C] as probabilities [N, C], in float32."""
    return (logits.float() / config.temperatures.get(head, 1.0)).softmax(dim=-1)


def _together(
    model: Model, batch: Batch, stretches: Sequence[tuple[int, int, int, int]], device: torch.device
) -> tuple[Rows, Output]:
    """What a model says of stretches of a batch: of each the rows to read, and those that count."""
    part = batch.stretches([(a, b) for a, b, *_ in stretches])
    output = checked(model, model(part.to(device)), len(part))
    starts = np.cumsum([0, *(b - a for a, b, *_ in stretches)]).tolist()
    within = [(start + c - a, start + d - a) for start, (a, _, c, d) in zip(starts, stretches, strict=False)]
    return _rows([(c, d) for *_, c, d in stretches]), _some(output, _rows(within))


def _rows(spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in spans])


def _some(output: Output, rows: npt.NDArray[np.int64]) -> Output:
    """What an output says of some rows."""
    index = torch.from_numpy(rows).to(next(iter(output.logits.values())).device)
    return replace(
        output,
        logits={head: x[index] for head, x in output.logits.items()},
        weights=None if output.weights is None else output.weights[index],
        states={name: x[index] for name, x in output.states.items()},
    )
