"""Paired tests over seeds between two groups of runs, and Holm's correction.

Dror, Baumer, Shlomov, Reichart: "The Hitchhiker's Guide to Testing Statistical Significance in Natural Language
Processing", ACL 2018 (sections 3.1 and 3.2: the paired t-test for approximately normal differences, Wilcoxon's
signed-rank test for others).
Holm: "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).

Shapes: R runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FEW_SEEDS = 5
"""Minimum number of common seeds for a conclusion about other seeds."""
ENOUGH_FOR_T = 2
ENOUGH_FOR_WILCOXON = 6
"""Minimum number of pairs for which the two-sided p can be below 0.05: 2 / 2^6."""
_ENUMERABLE = 16
"""Maximum number of pairs for which all 2^n signs are enumerated, which is also exact with ties."""
_EPSILON = 1e-12


@dataclass(frozen=True)
class SeedTest:
    """The result of a test over seeds."""

    p: float | None
    """Two-sided p-value; None if the test is undefined."""
    pairs: int
    """Number of common seeds."""
    note: str = ""
    """Why there is no p-value, or its minimum for this number of pairs."""

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return {"p": self.p, "pairs": self.pairs, **({"note": self.note} if self.note else {})}


def paired(reference: Mapping[int, float], other: Mapping[int, float]) -> npt.NDArray[np.float64]:
    """The differences other - reference of the runs with common seeds, ordered by seed, [R]."""
    common = sorted(reference.keys() & other.keys())
    return np.array([other[seed] - reference[seed] for seed in common], dtype=np.float64)


def t_test(differences: npt.NDArray[np.float64]) -> SeedTest:
    """Paired t-test of the null hypothesis that the mean difference is 0.

    Args:
        differences: [R]; see `paired`.
    """
    from scipy.stats import t as student

    pairs = len(differences)
    if pairs < ENOUGH_FOR_T:
        return SeedTest(None, pairs, f"{_seeds(pairs)} in common; the t-test needs at least {ENOUGH_FOR_T}")
    if np.ptp(differences) < _EPSILON:
        if abs(differences[0]) < _EPSILON:
            return SeedTest(1.0, pairs)
        return SeedTest(None, pairs, "the difference is the same for every seed, so t is undefined")
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(pairs))
    return SeedTest(float(2 * student.sf(abs(t), pairs - 1)), pairs)


def wilcoxon(differences: npt.NDArray[np.float64]) -> SeedTest:
    """Wilcoxon's signed-rank test that differences are symmetric around 0; pairs without a difference are ignored.

    Args:
        differences: [R]; see `paired`.
    """
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as scipy_wilcoxon

    pairs = len(differences)
    if pairs < 2:
        return SeedTest(None, pairs, f"{_seeds(pairs)} in common; Wilcoxon's test needs {ENOUGH_FOR_WILCOXON}")
    nonzero = np.round(differences[np.abs(differences) >= _EPSILON], 12)  # rounded, so that equal differences tie
    if len(nonzero) == 0:
        return SeedTest(1.0, pairs)
    if len(nonzero) > _ENUMERABLE:
        return SeedTest(float(scipy_wilcoxon(nonzero).pvalue), pairs)
    ranks = rankdata(np.abs(nonzero))
    signs = 1 - 2 * ((np.arange(2 ** len(nonzero))[:, None] >> np.arange(len(nonzero))) & 1)  # [2^n, n]
    sums = np.abs(signs @ ranks)  # |positive - negative rank sum| for all signs, which are equally probable
    p = float(np.mean(sums >= abs(np.sign(nonzero) @ ranks) - 1e-9))
    if pairs < ENOUGH_FOR_WILCOXON:
        return SeedTest(p, pairs, f"with {pairs} seeds Wilcoxon's p is at least {2 / 2**pairs:.4g}")
    return SeedTest(p, pairs)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Correct a family of p-values with Holm's procedure, which controls the family-wise error rate.

    The smallest of m p-values is multiplied by m, the next by m - 1, and so on; corrected values do not decrease.

    Args:
        p: The p-values of the tests; None for undefined tests, which do not count.

    Returns:
        The corrected p-values in the same order.

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
