"""Counts of correct, predicted and annotated utterances per conversation, from which scores are computed.

Shapes: K conversations, N utterances, R runs (seeds), C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.evaluation.metrics import ClassCounts, measure_values


@dataclass(frozen=True, eq=False)
class Counts:
    """The diagonals and margins of R confusion matrices in each of K conversations."""

    right: npt.NDArray[np.float64]
    """[K, R, C] number of correctly predicted utterances of a class."""
    predicted_as: npt.NDArray[np.float64]
    """[K, R, C] number of utterances predicted as a class."""
    support: npt.NDArray[np.float64]
    """[K, C] number of utterances annotated as a class."""

    @classmethod
    def of(
        cls,
        true: npt.NDArray[np.int64],
        predicted: npt.NDArray[np.int64],
        conversation: npt.NDArray[np.int64],
        shape: tuple[int, int],
    ) -> Counts:
        """Count utterances.

        Args:
            true: [N] annotated class numbers; not negative.
            predicted: [R, N] predicted class numbers.
            conversation: [N] conversation numbers.
            shape: (K, C).
        """
        K, C = shape

        def table(classes: npt.NDArray[np.int64], where: npt.NDArray[np.bool_] | slice) -> npt.NDArray[np.float64]:
            cells = conversation[where] * C + classes[where]
            return np.bincount(cells, minlength=K * C).reshape(K, C).astype(np.float64)

        everywhere = slice(None)
        return cls(
            right=np.stack([table(true, row == true) for row in predicted], axis=1),
            predicted_as=np.stack([table(row, everywhere) for row in predicted], axis=1),
            support=table(true, everywhere),
        )

    @property
    def conversations(self) -> int:
        """K."""
        return len(self.support)

    def totals(self) -> npt.NDArray[np.float64]:
        """Compute the measures of every run on all conversations, [R, measures]."""
        return measure_values(
            ClassCounts(self.right.sum(axis=0), self.predicted_as.sum(axis=0), self.support.sum(axis=0))
        )

    def weighted(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Compute the measures of every run on resamples of the conversations.

        Args:
            weights: [B, K]; number of times each conversation occurs in each of B resamples.

        Returns:
            [B, R, measures]; NaN for a resample without utterances.
        """
        K, R, C = self.right.shape
        right = (weights @ self.right.reshape(K, R * C)).reshape(-1, R, C)
        predicted_as = (weights @ self.predicted_as.reshape(K, R * C)).reshape(-1, R, C)
        return measure_values(ClassCounts(right, predicted_as, (weights @ self.support)[:, None, :]))
