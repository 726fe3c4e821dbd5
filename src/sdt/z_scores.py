"""Means, standard deviations and z-scores of features; used by corpora and by prediction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Statistic = npt.NDArray[np.float64]
"""[D]."""


def moments(x: Matrix) -> tuple[Statistic, Statistic]:
    """Mean [D] and standard deviation [D] of rows [n, D]."""
    return streamed_moments([x])


def streamed_moments(parts: Iterable[Matrix]) -> tuple[Statistic, Statistic]:
    """Mean [D] and standard deviation [D] of the rows of several matrices [n, D], at least one row in total.

    Computed in one pass in double precision: the mean and the sum of squared differences are merged part by part.

    References:
        Chan, Golub, LeVeque: "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """
    size, mean, squares = 0, np.zeros(1), np.zeros(1)
    first, varies = None, np.zeros(1, dtype=np.bool_)
    for part in parts:
        if not len(part):
            continue
        wide = part.astype(np.float64)
        first = wide[0] if first is None else first
        varies = varies | (wide != first).any(axis=0)
        of_part = wide.mean(axis=0)
        of_squares = ((wide - of_part) ** 2).sum(axis=0)
        if size == 0:
            size, mean, squares = len(wide), of_part, of_squares
            continue
        total = size + len(wide)
        gap = of_part - mean
        mean = mean + gap * (len(wide) / total)
        squares = squares + of_squares + gap**2 * (size * len(wide) / total)
        size = total
    deviation = np.sqrt(squares / size)
    # Equal values can differ from their rounded mean in the last place.
    deviation[~varies] = 0
    return mean, deviation


def z_scores(x: Matrix, mean: Statistic, deviation: Statistic) -> Matrix:
    """(x - mean) / deviation, [n, D]; 0 for a deviation of 0."""
    scaled = np.divide(x - mean, deviation, out=np.zeros(x.shape), where=deviation > 0)
    return scaled.astype(np.float32)
