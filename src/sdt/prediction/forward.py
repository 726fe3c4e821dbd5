"""What a model says of a packed batch, in words.

Shapes: N utterances of the batch; R of them that are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.conversation import Prediction
from sdt.corpus.batches import Batch
from sdt.errors import InputError
from sdt.evaluation.outputs import Outputs, calibrated, predictions, present_in
from sdt.model.base import Model, Output, checked
from sdt.model.config import FUSED


def in_words(
    model: Model,
    batch: Batch,
    output: Output,
    places: Sequence[tuple[str, str]],
    rows: Sequence[int] | None = None,
) -> list[Prediction]:
    """What a model said of a batch, as predictions with calibrated probabilities.

    Args:
        model: That read the batch.
        batch: On the CPU.
        output: What it said, wherever it computes.
        places: [R] (conversation id, utterance id).
        rows: [R]; which utterances of the batch are asked for; None for all.

    Raises:
        InputError: The output is not what the model promises, or not finite.
    """
    output = checked(model, output, len(batch))
    config, weights = model.config, output.weights
    asked = slice(None) if rows is None else list(rows)
    outputs = Outputs(
        probabilities={
            head: calibrated(output.logits[head], config, head).cpu().numpy()[asked] for head in model.heads
        },
        label=batch.label.numpy()[asked],
        weights=None if weights is None else weights.float().mean(dim=-1).cpu().numpy()[asked],
        places=tuple(places),
        present=present_in(batch, config)[asked],
    )
    bad = ~np.isfinite(outputs.probabilities[FUSED]).all(axis=1)  # [R]
    if bad.any():
        conversation, utterance = outputs.places[int(bad.argmax())]
        raise InputError(
            f"conversation {conversation!r}, utterance {utterance!r}: the model's output is not finite; the model "
            "is damaged or the features are extreme"
        )
    return predictions(outputs, config)
