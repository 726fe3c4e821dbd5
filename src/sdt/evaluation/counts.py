"""What scores are made of, counted in every conversation, so that the scores of any choice of conversations are a sum.

Shapes: K conversations, N utterances, R runs (seeds), C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MEASURES = ("accuracy", "weighted_f1", "macro_f1")
"""What `measures` gives in its first columns; the F1 of every class follows."""


def of_class(label: str) -> str:
    """The name of a class' F1 among the measures."""
    return f"f1:{label}"


def measure_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The names of the 3 + C columns of `measures`."""
    return (*MEASURES, *map(of_class, labels))


@dataclass(frozen=True, eq=False)
class Counts:
    """The diagonals and margins of R confusion matrices in each of K conversations."""

    right: npt.NDArray[np.float64]
    """[K, R, C] utterances of a class that were predicted as it."""
    said: npt.NDArray[np.float64]
    """[K, R, C] utterances that were predicted as a class."""
    support: npt.NDArray[np.float64]
    """[K, C] utterances of a class."""

    @classmethod
    def of(
        cls,
        true: npt.NDArray[np.int64],
        predicted: npt.NDArray[np.int64],
        conversation: npt.NDArray[np.int64],
        shape: tuple[int, int],
    ) -> Counts:
        """Count.

        Args:
            true: [N] annotated class numbers, none negative.
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
            said=np.stack([table(row, everywhere) for row in predicted], axis=1),
            support=table(true, everywhere),
        )

    @property
    def conversations(self) -> int:
        """K."""
        return len(self.support)

    def totals(self) -> npt.NDArray[np.float64]:
        """The measures of every run on all conversations, [R, 3 + C]."""
        return measures(self.right.sum(axis=0), self.said.sum(axis=0), self.support.sum(axis=0))

    def weighted(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The measures of every run where each conversation counts several times, or not at all.

        Args:
            weights: [B, K] how often each conversation counts, B times.

        Returns:
            [B, R, 3 + C]; NaN where no utterance counts.
        """
        K, R, C = self.right.shape
        right = (weights @ self.right.reshape(K, R * C)).reshape(-1, R, C)
        said = (weights @ self.said.reshape(K, R * C)).reshape(-1, R, C)
        return measures(right, said, (weights @ self.support)[:, None, :])


def measures(
    right: npt.NDArray[np.float64], said: npt.NDArray[np.float64], support: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Accuracy, weighted F1, macro F1 and the F1 of every class, by scikit-learn's definitions (see `scores.score`).

    F1 = 2 right / (said + support) is 0 for a class that is neither annotated nor predicted, and such a class counts in
    the macro mean.

    Args:
        right: [..., C]; see `Counts`.
        said: [..., C].
        support: [..., C].

    Returns:
        [..., 3 + C], fractions from 0 to 1; NaN where there is no utterance.
    """
    both = said + support
    f1 = 2 * right / np.where(both > 0, both, 1)
    total = support.sum(axis=-1)
    size = np.where(total > 0, total, np.nan)
    weighted = (f1 * support).sum(axis=-1) / size
    macro = np.where(total > 0, f1.mean(axis=-1), np.nan)
    return np.concatenate([np.stack([right.sum(axis=-1) / size, weighted, macro], axis=-1), f1], axis=-1)
