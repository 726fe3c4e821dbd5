"""Bootstrap over conversations: confidence intervals and p-values with respect to the test set.

Whole conversations are resampled with replacement, as many as the test set has, and the systems are scored on each
resample; by default 10,000 times. Utterances are not resampled individually, because those of a conversation depend on
each other and the intervals would be too narrow. Compared systems are scored on the same resamples (paired bootstrap),
so that the difficulty of a resample cancels in their difference.

Runs of a system with different seeds are scored separately, and their scores are averaged within each resample. The
resamples therefore vary the test set but not the runs; `seed_tests` tests the effect of other seeds.

Efron, Tibshirani: "An Introduction to the Bootstrap", Chapman & Hall 1993: percentile intervals (chapter 13), and tests
derived from intervals (section 15.4).
Dror, Baumer, Shlomov, Reichart: "The Hitchhiker's Guide to Testing Statistical Significance in Natural Language
Processing", ACL 2018: F1 is not a mean over utterances, so a t-test over utterances does not apply and a resampling
test is recommended.

Shapes: K conversations, B resamples, S systems, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.evaluation.counts import Counts

FEW_CONVERSATIONS = 30
"""With fewer conversations, percentile intervals are clearly too narrow; see benchmarks/false_findings.py."""
FEWEST_CONVERSATIONS = 6
"""Minimum number of conversations for an interval or p-value: with fewer, even if all n conversations agree, an exact
sign test gives a two-sided p of 2 / 2^n, which is above 0.05."""
_CHUNK = 500
_EPSILON = 1e-12
"""Smaller differences are rounding errors."""


@dataclass(frozen=True)
class Resampling:
    """Settings of the bootstrap."""

    draws: int = 10_000
    """B, the number of resamples."""
    seed: int = 0
    """Random seed."""
    level: float = 0.95
    """Confidence level of the intervals."""

    def weights(self, conversations: int) -> Iterator[npt.NDArray[np.float64]]:
        """Yield how often each of K conversations occurs in the resamples, [b, K] for b resamples at a time."""
        random = np.random.default_rng(self.seed)
        for first in range(0, self.draws, _CHUNK):
            size = min(_CHUNK, self.draws - first)
            drawn = random.integers(conversations, size=(size, conversations))
            cells = drawn + np.arange(size)[:, None] * conversations
            counted = np.bincount(cells.ravel(), minlength=size * conversations)
            yield counted.reshape(size, conversations).astype(np.float64)


def resample(counts: Sequence[Counts], resampling: Resampling) -> npt.NDArray[np.float64]:
    """Score systems on the same resamples of the conversations.

    Args:
        counts: Counts of S systems on the same K conversations, in the same order.
        resampling: Settings of the bootstrap.

    Returns:
        Means over each system's runs, [S, B, measures]; the measures are those of `metrics.measure_names`.
    """
    chunks = [
        np.stack([of.weighted(weights).mean(axis=1) for of in counts])  # [S, b, measures]
        for weights in resampling.weights(counts[0].conversations)
    ]
    return np.concatenate(chunks, axis=1)


class Interval(NamedTuple):
    """A percentile interval, or the reason why it cannot be estimated."""

    low: float
    """Lower bound; NaN if it cannot be estimated."""
    high: float
    """Upper bound; NaN if it cannot be estimated."""
    note: str = ""
    """Why the interval cannot be estimated; empty if it can."""


def interval(drawn: npt.NDArray[np.float64], level: float, conversations: int) -> Interval:
    """Compute the percentile interval, from the (1 - level) / 2 to the (1 + level) / 2 quantile of the resamples.

    The interval cannot be estimated from fewer than six conversations, nor if all resamples have the same value: an
    interval from 100 to 100 would claim that every test set gives this value.

    Args:
        drawn: [B] scores or differences; NaN (a resample without scored utterances) is ignored.
        level: Confidence level, 0.95 for a 95 % interval.
        conversations: Number of conversations with scored utterances.
    """
    valid = drawn[~np.isnan(drawn)]
    if conversations < FEWEST_CONVERSATIONS:
        return Interval(np.nan, np.nan, too_few(conversations))
    if not len(valid) or np.ptp(valid) < _EPSILON:
        return Interval(np.nan, np.nan, "all bootstrap samples give the same value")
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def too_few(conversations: int) -> str:
    """The reason why there is no interval and no p-value for this number of conversations."""
    found = "1 conversation" if conversations == 1 else f"{conversations} conversations"
    return f"{found}; the bootstrap needs at least {FEWEST_CONVERSATIONS}"


def interval_values(low: float, high: float, note: str) -> dict[str, Any]:
    """JSON values of an interval: null and the reason if it cannot be estimated."""
    return {"interval": None, "no_interval": note} if np.isnan(low) else {"interval": [low, high]}


def two_sided_p(differences: npt.NDArray[np.float64], conversations: int) -> float | None:
    """Compute the two-sided p-value of "no difference": twice the share of the resamples on the rarer side of 0.

    The p-value corresponds to the percentile interval: p is below 0.05 if the 95 % interval excludes 0. A resample
    without a difference counts on both sides, and 1 is added to both counts so that p is never 0.

    Args:
        differences: [B] differences of two systems on the same resamples; NaN for resamples without scored utterances.
        conversations: Number of conversations with scored utterances.

    Returns:
        None if the test is undefined: fewer than six conversations, or the same nonzero difference in every resample.
    """
    valid = differences[~np.isnan(differences)]
    if conversations < FEWEST_CONVERSATIONS or (np.ptp(valid) < _EPSILON and abs(valid[0]) >= _EPSILON):
        return None
    rarer = min(np.count_nonzero(valid <= _EPSILON), np.count_nonzero(valid >= -_EPSILON))
    return float(min(1.0, 2 * (rarer + 1) / (len(valid) + 1)))
