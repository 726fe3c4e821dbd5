"""What a model says of a packed batch, in words.

Shapes: N utterances of the batch; R of them that are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.batch import Batch
from sdt.conversation import Prediction
from sdt.errors import InputError
from sdt.evaluation.outputs import Outputs, predictions, present_in
from sdt.evaluation.reading import Said
from sdt.models.base import Model, Output, checked
from sdt.models.config import FUSED, ModelConfig


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
    of = Said.of(model, checked(model, output, len(batch)))
    return words(model.config, batch, of, places, slice(None) if rows is None else list(rows))


def words(
    config: ModelConfig, batch: Batch, of: Said, places: Sequence[tuple[str, str]], rows: slice | list[int]
) -> list[Prediction]:
    """What was said of a batch, as predictions.

    Args:
        config: Of the model that read the batch.
        batch: On the CPU.
        of: What the model said of its N utterances.
        places: [R] (conversation id, utterance id).
        rows: [R]; which utterances of the batch are asked for.

    Raises:
        InputError: What was said is not finite.
    """
    outputs = Outputs(
        probabilities={head: x[rows] for head, x in of.probabilities.items()},
        label=batch.label.numpy()[rows],
        weights=None if of.weights is None else of.weights[rows],
        places=tuple(places),
        present=present_in(batch, config)[rows],
    )
    bad = ~np.isfinite(outputs.probabilities[FUSED]).all(axis=1)  # [R]
    if bad.any():
        conversation, utterance = outputs.places[int(bad.argmax())]
        raise InputError(
            f"conversation {conversation!r}, utterance {utterance!r}: the model's output is not finite; the model "
            "is damaged or the features are extreme"
        )
    return predictions(outputs, config, infer=False)
