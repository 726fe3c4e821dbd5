"""Measures of the separation of emotions in an embedding space.

Shapes: N utterances; D dimensions of the space.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CHUNK = 512
"""Number of rows of the distance matrix in memory."""


@dataclass(frozen=True)
class Separation:
    """Separation of the emotions in a space; NaN if there are too few utterances or emotions."""

    silhouette: float
    """Mean silhouette coefficient: 1 for well-separated emotions, 0 for overlapping ones, negative if utterances are
    closer to another emotion than to their own."""
    purity: float
    """Mean share of the k nearest neighbours of an utterance that have its emotion."""
    purity_elsewhere: float
    """The same among utterances of other conversations. Utterances of one conversation are often similar because of
    their speakers and context, and often have the same emotion."""
    chance: float
    """Purity of random neighbours."""
    neighbours: int
    """k."""


def separation(
    x: npt.NDArray[np.float32], label: npt.NDArray[np.int64], conversation: npt.NDArray[np.int64], neighbours: int
) -> Separation:
    """Measure the separation by Euclidean distance.

    Args:
        x: Embeddings [N, D].
        label: [N] class numbers.
        conversation: [N] conversation numbers.
        neighbours: k, the maximum number of neighbours.
    """
    from sklearn.metrics import silhouette_score

    N, counts = len(label), np.bincount(label)
    classes = int((counts > 0).sum())
    anywhere: list[float] = []
    elsewhere: list[float] = []
    for rows, distance in _distances(x):
        for apart, shares in ((np.arange(N), anywhere), (conversation, elsewhere)):
            distance[apart[rows][:, None] == apart] = np.inf  # excludes itself, then its conversation
            shares += _shares(distance, label, label[rows], neighbours)
    return Separation(
        float(silhouette_score(x, label)) if 2 <= classes < N else np.nan,
        float(np.mean(anywhere)) if anywhere else np.nan,
        float(np.mean(elsewhere)) if elsewhere else np.nan,
        float((counts * (counts - 1)).sum() / (N * (N - 1))) if N > 1 else np.nan,
        neighbours,
    )


def _shares(distance: Floats, label: npt.NDArray[np.int64], own: npt.NDArray[np.int64], neighbours: int) -> list[float]:
    """Compute the share of nearest neighbours with the same emotion, for each utterance that has neighbours.

    Args:
        distance: [n, N]; infinite for excluded utterances.
        label: [N] class numbers.
        own: [n] class numbers of the rows.
        neighbours: Maximum number of neighbours.
    """
    order = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]  # [n, k]
    valid = np.isfinite(np.take_along_axis(distance, order, axis=1))
    same, count = ((label[order] == own[:, None]) & valid).sum(axis=1), valid.sum(axis=1)
    shares: list[float] = (same[count > 0] / count[count > 0]).tolist()
    return shares


def _distances(x: npt.NDArray[np.float32]) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
    """Yield chunks of utterances and their distances to all utterances [n, N]."""
    from sklearn.metrics.pairwise import euclidean_distances

    for first in range(0, len(x), _CHUNK):
        rows = np.arange(first, min(first + _CHUNK, len(x)))
        yield rows, euclidean_distances(x[rows], x)
