"""The probabilities that a model predicts for a batch, and their conversion to `Prediction` objects.

Shapes: N utterances of the batch; M modalities; C labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.conversation import Prediction
from sdt.errors import InputError
from sdt.models.config import FUSED, ModelConfig
from sdt.windows import RowIndex


@dataclass(frozen=True, eq=False)
class BatchPrediction:
    """The probabilities that a model predicts for N utterances."""

    probabilities: dict[str, npt.NDArray[np.float32]]
    """Classifier (`fused`, then modalities) to calibrated probabilities [N, C]; rows sum to 1."""
    weights: npt.NDArray[np.float32] | None
    """Fusion weights [N, M], averaged over the model's dimensions; None if the model has no fusion weights."""
    present: npt.NDArray[np.bool_]
    """[N, M] whether the utterance has the modality, as the model received it."""

    def rows(self, index: RowIndex | Sequence[int]) -> BatchPrediction:
        """The predictions of some utterances, in the order of the index."""
        rows = index if isinstance(index, slice) else np.asarray(index, dtype=np.int64)
        return BatchPrediction(
            {name: x[rows] for name, x in self.probabilities.items()},
            None if self.weights is None else self.weights[rows],
            self.present[rows],
        )

    @staticmethod
    def merge(parts: Sequence[tuple[RowIndex, BatchPrediction]], size: int) -> BatchPrediction:
        """Merge the predictions of parts of a batch.

        Args:
            parts: Rows of the batch and their predictions; every row occurs exactly once.
            size: N.
        """
        if len(parts) == 1 and isinstance(parts[0][0], slice):
            return parts[0][1]
        order = np.concatenate([np.arange(size)[rows] for rows, _ in parts]).argsort()
        found = [part for _, part in parts]
        weights = [part.weights for part in found if part.weights is not None]
        return BatchPrediction(
            {
                name: np.concatenate([part.probabilities[name] for part in found])[order]
                for name in found[0].probabilities
            },
            np.concatenate(weights)[order] if weights else None,
            np.concatenate([part.present for part in found])[order],
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
