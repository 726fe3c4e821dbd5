"""Measures how well emotions are separated in an embedding space.

Shapes: N utterances; D dimensions of the space.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CHUNK = 512
"""Utterances whose distances to all others are held at once."""


@dataclass(frozen=True)
class Separation:
    """Of the emotions in one space; NaN if there are too few utterances or emotions."""

    silhouette: float
    """The mean silhouette: 1 where every utterance lies among its own emotion and far from the others, 0 if the
    emotions lie over each other, negative if utterances lie nearer to another emotion than to their own."""
    purity: float
    """The mean share of an utterance's k nearest neighbours that have its emotion."""
    purity_elsewhere: float
    """The same among utterances of other conversations. Utterances of one conversation are often near each other for
    its speakers and its context, and often have the same emotion; that is no knowledge of emotions."""
    chance: float
    """The purity that neighbours drawn at random have."""
    neighbours: int
    """k."""


def separation(
    x: npt.NDArray[np.float32], label: npt.NDArray[np.int64], conversation: npt.NDArray[np.int64], neighbours: int
) -> Separation:
    """Measure a space by Euclidean distance.

    Args:
        x: [N, D].
        label: [N] class numbers.
        conversation: [N] conversation numbers.
        neighbours: k; fewer where there are not so many.
    """
    from sklearn.metrics import silhouette_score

    N, counts = len(label), np.bincount(label)
    classes = int((counts > 0).sum())
    anywhere: list[float] = []
    elsewhere: list[float] = []
    for rows, distance in _distances(x):
        for apart, shares in ((np.arange(N), anywhere), (conversation, elsewhere)):
            distance[apart[rows][:, None] == apart] = np.inf  # itself, then all of its conversation
            shares += _shares(distance, label, label[rows], neighbours)
    return Separation(
        float(silhouette_score(x, label)) if 2 <= classes < N else np.nan,
        float(np.mean(anywhere)) if anywhere else np.nan,
        float(np.mean(elsewhere)) if elsewhere else np.nan,
        float((counts * (counts - 1)).sum() / (N * (N - 1))) if N > 1 else np.nan,
        neighbours,
    )


def _shares(distance: Floats, label: npt.NDArray[np.int64], own: npt.NDArray[np.int64], neighbours: int) -> list[float]:
    """Which share of their nearest neighbours have the emotion `own` [n], of those utterances that have neighbours.

    Args:
        distance: [n, N]; infinite where another utterance does not count.
        label: [N].
        own: [n].
        neighbours: How many at most.
    """
    order = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]  # [n, k]
    there = np.isfinite(np.take_along_axis(distance, order, axis=1))
    same, of = ((label[order] == own[:, None]) & there).sum(axis=1), there.sum(axis=1)
    shares: list[float] = (same[of > 0] / of[of > 0]).tolist()
    return shares


def _distances(x: npt.NDArray[np.float32]) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
    """Some utterances at a time, and their distances to all [n, N]."""
    from sklearn.metrics.pairwise import euclidean_distances

    for first in range(0, len(x), _CHUNK):
        rows = np.arange(first, min(first + _CHUNK, len(x)))
        yield rows, euclidean_distances(x[rows], x)
