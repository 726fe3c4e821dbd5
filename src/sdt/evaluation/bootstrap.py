"""The bootstrap over conversations: intervals and p-values for other test sets.

Whole conversations are drawn with replacement, as many as the test set has, and everything is scored on what was drawn;
10,000 times. Utterances must not be drawn by themselves: those of a conversation depend on each other, and intervals
that ignore it are too narrow. Systems that are compared are scored on the same draws, so that what makes a draw easy or
hard for all of them cancels in their difference (the paired bootstrap).

Several runs of a system, which differ in their seed, are scored each on its own and their scores averaged within every
draw. What varies from draw to draw is the test set alone; the runs stay what they are. How much other seeds would
change is another question, which `seed_tests` looks at.

Efron, Tibshirani: "An Introduction to the Bootstrap", Chapman & Hall 1993: percentile intervals (chapter 13), and tests
that are the other side of an interval (section 15.4).
Dror, Baumer, Shlomov, Reichart: "The Hitchhiker's Guide to Testing Statistical Significance in Natural Language
Processing", ACL 2018: F1 is no mean over utterances, so that no t-test over utterances can be made of it, and a
resampling test is called for.

Shapes: K conversations, B draws, S systems, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.evaluation.counts import Counts

FEW_CONVERSATIONS = 30
"""With fewer, percentile intervals are clearly too narrow; see benchmarks/false_findings.py."""
FEWEST_CONVERSATIONS = 6
"""With fewer there is no interval and no p: even where all n conversations agree, an exact test of their signs gives a
two-sided p of 2 / 2^n, which is above 0.05."""
_CHUNK = 500
_NOTHING = 1e-12
"""Differences below it are rounding."""


@dataclass(frozen=True)
class Resampling:
    """How the bootstrap is made."""

    draws: int = 10_000
    """B, how many times the conversations are drawn."""
    seed: int = 0
    """The same seed gives the same draws."""
    level: float = 0.95
    """The share of the draws inside an interval."""

    def weights(self, conversations: int) -> Iterator[npt.NDArray[np.float64]]:
        """How often each of K conversations is drawn, [b, K] for some of the draws at a time."""
        random = np.random.default_rng(self.seed)
        for first in range(0, self.draws, _CHUNK):
            size = min(_CHUNK, self.draws - first)
            drawn = random.integers(conversations, size=(size, conversations))
            cells = drawn + np.arange(size)[:, None] * conversations
            counted = np.bincount(cells.ravel(), minlength=size * conversations)
            yield counted.reshape(size, conversations).astype(np.float64)


def resample(counts: Sequence[Counts], how: Resampling) -> npt.NDArray[np.float64]:
    """Score systems on conversations drawn with replacement, all on the same ones.

    Args:
        counts: Of S systems on the same K conversations, in the same order.
        how: How often.

    Returns:
        [S, B, measures]; the mean over each system's runs; columns as in `metrics.measure_names`.
    """
    chunks = [
        np.stack([of.weighted(weights).mean(axis=1) for of in counts])  # [S, b, measures]
        for weights in how.weights(counts[0].conversations)
    ]
    return np.concatenate(chunks, axis=1)


class Interval(NamedTuple):
    """A percentile interval, or the reason why there is none."""

    low: float
    """NaN if there is none."""
    high: float
    """NaN if there is none."""
    note: str = ""
    """Why there is none; empty if there is one."""


def interval(drawn: npt.NDArray[np.float64], level: float, conversations: int) -> Interval:
    """The percentile interval: what lies between the outer (1 - level) / 2 of the draws on either side.

    Draws that are all the same have no spread: an interval from 100 to 100 would claim that every test set gives this
    number. It is not estimable then, nor from fewer than six conversations.

    Args:
        drawn: [B] scores or differences; draws that are NaN (nothing to score was drawn) are left out.
        level: The share of the draws inside, 0.95 for a 95 % interval.
        conversations: How many conversations have anything that is scored.
    """
    known = drawn[~np.isnan(drawn)]
    if conversations < FEWEST_CONVERSATIONS:
        return Interval(np.nan, np.nan, too_few(conversations))
    if not len(known) or np.ptp(known) < _NOTHING:
        return Interval(np.nan, np.nan, "every draw gives the same number")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def too_few(conversations: int) -> str:
    """Why so many conversations have no interval and no p."""
    found = "1 conversation" if conversations == 1 else f"{conversations} conversations"
    return f"{found}; the bootstrap needs at least {FEWEST_CONVERSATIONS}"


def interval_values(low: float, high: float, note: str) -> dict[str, Any]:
    """JSON values of an interval: null and the reason where there is none."""
    return {"interval": None, "no_interval": note} if np.isnan(low) else {"interval": [low, high]}


def two_sided_p(differences: npt.NDArray[np.float64], conversations: int) -> float | None:
    """The p of "there is no difference": twice the share of the draws on the rarer side of 0.

    It is the other side of the percentile interval: p is below 0.05 where the 95 % interval leaves 0 out. A draw
    without any difference counts on both sides, and one draw more is counted on each, so that p is never 0.

    Args:
        differences: [B] differences of two systems on the same draws; NaN if nothing to score was drawn.
        conversations: How many conversations have anything that is scored.

    Returns:
        None if the test is undefined: fewer than six conversations, or the same difference, not 0, in every draw.
    """
    known = differences[~np.isnan(differences)]
    if conversations < FEWEST_CONVERSATIONS or (np.ptp(known) < _NOTHING and abs(known[0]) >= _NOTHING):
        return None
    rarer = min(np.count_nonzero(known <= _NOTHING), np.count_nonzero(known >= -_NOTHING))
    return float(min(1.0, 2 * (rarer + 1) / (len(known) + 1)))
