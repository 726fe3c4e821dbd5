"""Paired tests over seeds between two groups of runs, and Holm's correction.

Dror, Baumer, Shlomov, Reichart: "The Hitchhiker's Guide to Testing Statistical Significance in Natural Language
Processing", ACL 2018 (sections 3.1 and 3.2: the paired t-test for differences that are about normal, Wilcoxon's signed
ranks for others).
Holm: "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).

Shapes: R runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FEW_SEEDS = 5
"""With fewer seeds in common no conclusion about other seeds is drawn."""
ENOUGH_FOR_T = 2
ENOUGH_FOR_WILCOXON = 6
"""The smallest number of pairs whose two-sided p can be below 0.05: 2 / 2^6."""
_ENUMERABLE = 16
"""Up to so many pairs all 2^n signs are tried, which is exact with ties too."""
_NOTHING = 1e-12


@dataclass(frozen=True)
class SeedTest:
    """The outcome of a test over seeds."""

    p: float | None
    """Two-sided; None if the test says nothing."""
    pairs: int
    """Seeds that both groups have."""
    note: str = ""
    """Why there is no p, or how small it could be at all."""

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return {"p": self.p, "pairs": self.pairs, **({"note": self.note} if self.note else {})}


def paired(reference: Mapping[int, float], other: Mapping[int, float]) -> npt.NDArray[np.float64]:
    """The differences other - reference of the runs whose seeds both have, by seed, [R]."""
    common = sorted(reference.keys() & other.keys())
    return np.array([other[seed] - reference[seed] for seed in common], dtype=np.float64)


def t_test(differences: npt.NDArray[np.float64]) -> SeedTest:
    """The paired t-test: is the mean of the differences 0?

    Args:
        differences: [R], see `paired`.
    """
    from scipy.stats import t as student

    pairs = len(differences)
    if pairs < ENOUGH_FOR_T:
        return SeedTest(None, pairs, f"{_seeds(pairs)} in common; the t-test needs at least {ENOUGH_FOR_T}")
    if np.ptp(differences) < _NOTHING:
        if abs(differences[0]) < _NOTHING:
            return SeedTest(1.0, pairs)
        return SeedTest(None, pairs, "the difference is the same for every seed, so that t is not defined")
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(pairs))
    return SeedTest(float(2 * student.sf(abs(t), pairs - 1)), pairs)


def wilcoxon(differences: npt.NDArray[np.float64]) -> SeedTest:
    """Wilcoxon's signed-rank test: do the differences lie around 0? Pairs without any difference are left out.

    Args:
        differences: [R], see `paired`.
    """
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as scipy_wilcoxon

    pairs = len(differences)
    if pairs < 2:
        return SeedTest(None, pairs, f"{_seeds(pairs)} in common; Wilcoxon's test needs {ENOUGH_FOR_WILCOXON}")
    some = np.round(differences[np.abs(differences) >= _NOTHING], 12)  # rounded, so that equal ones tie
    if len(some) == 0:
        return SeedTest(1.0, pairs)
    if len(some) > _ENUMERABLE:
        return SeedTest(float(scipy_wilcoxon(some).pvalue), pairs)
    ranks = rankdata(np.abs(some))
    signs = 1 - 2 * ((np.arange(2 ** len(some))[:, None] >> np.arange(len(some))) & 1)  # [2^n, n]
    sums = np.abs(signs @ ranks)  # |rank sum of the positive - of the negative| for all signs, each as likely
    p = float(np.mean(sums >= abs(np.sign(some) @ ranks) - 1e-9))
    if pairs < ENOUGH_FOR_WILCOXON:
        least = 2 / 2**pairs
        return SeedTest(p, pairs, f"with {pairs} seeds Wilcoxon's p cannot be below {least:.4g}, whatever the runs say")
    return SeedTest(p, pairs)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Correct a family of p for being many: the chance of even one false finding stays below the level.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none may be smaller than the one before it.

    Args:
        p: Of m tests; None for one that was not made, which does not count.

    Returns:
        The corrected p in the same order.

    Example:
        >>> holm([0.01, 0.04, None, 0.03])
        [0.03, 0.06, None, 0.06]
    """
    made = sorted((value, index) for index, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, index) in enumerate(made):
        largest = max(largest, min(1.0, value * (len(made) - rank)))
        corrected[index] = largest
    return corrected


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number or 'no'} seeds"
