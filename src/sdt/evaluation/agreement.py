"""Agreement of annotators: raw agreement, Cohen's and Fleiss' kappa, Krippendorff's alpha, overall and of each label.

- Raw agreement: the mean over units of the share of pairs of labels that are equal.
- Cohen's kappa of two annotators: the agreement beyond what their shares of the labels give by chance (Cohen: "A
  coefficient of agreement for nominal scales", 1960).
- Fleiss' kappa of any number of annotators: chance is the shares of the labels of all (Fleiss: "Measuring nominal scale
  agreement among many raters", 1971, with his kappa of a label). Units with different numbers of labels count as in
  Gwet: "Handbook of Inter-Rater Reliability", 4th edition, section 2.5.
- Krippendorff's alpha for nominal labels, some of which may be missing (Krippendorff: "Content Analysis", 4th edition,
  section 12.3). The alpha of a label is that of the labels "this one" and "another one".

Everything is computed from sums over conversations, so that the bootstrap adds sums and does not count again, and
units have weights, such as durations. scikit-learn (kappa) and krippendorff (alpha), with which the tests compare, have
no intervals, and krippendorff no weights of units: over time, one alpha takes 10 s and 4 GB (docs/agreement.md).

Shapes: U units, A annotators, C labels, K conversations, B resamples.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.evaluation.bootstrap import Interval, Resampling, interval
from sdt.evaluation.ratings import MISSING, Ratings

MOST_IN_PAIRS = 30
"""Annotators of whom each pair is compared; the bootstrap of a pair takes up to 0.2 s."""
_Array = npt.NDArray[np.float64]
_TINY = 1e-12


class Estimate(NamedTuple):
    """A measure of agreement; NaN if it is undefined, for instance if only one label occurs."""

    value: float
    interval: Interval
    """By the bootstrap over conversations."""


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement on one label."""

    count: float
    """How often it was given to units with at least two labels."""
    agreement: Estimate
    """If an annotator gave this label, the probability that another one gave it too."""
    fleiss_kappa: Estimate
    krippendorff_alpha: Estimate


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two annotators on the units that both labelled."""

    first: str
    """The name of an annotator."""
    second: str
    compared: float
    """The number of utterances, or of milliseconds, that both labelled."""
    agreement: float
    """The fraction of them with the same label; NaN if there are none."""
    kappa: float
    """Cohen's kappa; NaN if it is undefined."""
    interval: Interval
    """Of kappa, by the bootstrap over conversations."""
    by_label: Mapping[str, float]
    """Label to the agreement on it: 2 n_both / (n_first + n_second), as F1."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of all annotators on the units with at least two labels."""

    raw: Estimate
    fleiss_kappa: Estimate
    krippendorff_alpha: Estimate
    labels: Mapping[str, LabelAgreement]
    pairs: tuple[PairAgreement, ...]
    """Every pair of annotators; empty if there are more than `MOST_IN_PAIRS`."""


def measure_agreement(ratings: Ratings, how: Resampling) -> Agreement:
    """Compute the agreement of all annotators, and of each pair.

    Args:
        ratings: The labels.
        how: The bootstrap of the intervals.
    """
    sums = _sum_by_conversation(ratings)
    conversations = int(np.count_nonzero(sums[:, 2, -1]))
    found = _measures(sums.sum(axis=0, keepdims=True))
    drawn = [_measures(np.tensordot(weights, sums, axes=1)) for weights in how.weights(len(sums))] if len(sums) else []

    def estimate(name: str, label: int | None = None) -> Estimate:
        value, *resampled = [of[name] if label is None else of[name][:, label] for of in (found, *drawn)]
        samples = np.concatenate(resampled) if resampled else np.empty(0)
        return Estimate(float(value[0]), interval(samples, how.level, conversations))

    labels = {
        label: LabelAgreement(
            float(found["count"][0, number]),
            estimate("label_agreement", number),
            estimate("label_kappa", number),
            estimate("label_alpha", number),
        )
        for number, label in enumerate(ratings.labels)
    }
    annotators = len(ratings.annotators)
    pairs = itertools.combinations(range(annotators), 2) if annotators <= MOST_IN_PAIRS else ()
    return Agreement(
        estimate("raw"),
        estimate("kappa"),
        estimate("alpha"),
        labels,
        tuple(_pair_agreement(ratings, first, second, how) for first, second in pairs),
    )


def _sum_by_conversation(ratings: Ratings) -> _Array:
    """The sums of which all measures consist, [K, 4, C + 1].

    With n_c labels c of the m labels of a unit, and over the units with at least two labels: n_c; the pairs of equal
    labels by Krippendorff, n_c (n_c - 1) / (m - 1), and as a share, n_c (n_c - 1) / (m (m - 1)). Over all units:
    n_c / m. The last column counts the units.
    """
    # Label by label, since [U, A, C] of hundreds of annotators does not fit into memory.
    given = np.stack([(ratings.values == label).sum(axis=1) for label in range(len(ratings.labels))], axis=1)  # n_c
    total = given.sum(axis=1, keepdims=True)  # m, [U, 1]
    several = total > 1
    pairs = given * (given - 1) / np.maximum(total - 1, 1)
    terms = np.stack([given * several, pairs, pairs / total, given / total], axis=1)  # [U, 4, C]
    units = np.broadcast_to(several[:, None], (len(given), 3, 1))
    terms = np.concatenate([terms, np.concatenate([units, np.ones_like(several)[:, None]], axis=1)], axis=2)
    sums = np.zeros((ratings.conversations.max(initial=-1) + 1, *terms.shape[1:]))
    np.add.at(sums, ratings.conversations, ratings.counts[:, None, None] * terms)
    return sums


def _measures(sums: _Array) -> dict[str, _Array]:
    """Every measure of sums [B, 4, C + 1]: [B] overall, [B, C] of the labels."""
    count, pairs, equal = (sums[:, row, :-1] for row in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        equal = equal / sums[:, 2, -1:]
        share = sums[:, 3, :-1] / sums[:, 3, -1:]
        raw = equal.sum(axis=1)
        total = count.sum(axis=1, keepdims=True)
        agreement = pairs / count
        return {
            "count": count,
            "raw": raw,
            "kappa": _beyond_chance(raw, (share**2).sum(axis=1)),
            "alpha": _alpha((count - pairs).sum(axis=1), (count * (total - count)).sum(axis=1), total[:, 0]),
            "label_agreement": agreement,
            "label_kappa": _beyond_chance(equal / share, share),
            "label_alpha": _alpha(count - pairs, count * (total - count), total),
        }


def _beyond_chance(observed: _Array, expected: _Array) -> _Array:
    """(p_o - p_e) / (1 - p_e); NaN where p_e is 1."""
    room = 1 - expected
    return np.asarray(np.where(room > _TINY, (observed - expected) / np.maximum(room, _TINY), np.nan))


def _alpha(unequal: _Array, expected: _Array, total: _Array) -> _Array:
    """1 - D_o / D_e; NaN where no labels are expected to differ."""
    return np.asarray(np.where(expected > 0, 1 - unequal * (total - 1) / expected, np.nan))


def _pair_agreement(ratings: Ratings, first: int, second: int, how: Resampling) -> PairAgreement:
    names = ratings.annotators[first], ratings.annotators[second]
    both = (ratings.values[:, [first, second]] != MISSING).all(axis=1)
    one, other = ratings.values[both, first], ratings.values[both, second]
    _, conversations = np.unique(ratings.conversations[both], return_inverse=True)
    tables = np.zeros((conversations.max(initial=-1) + 1, len(ratings.labels), len(ratings.labels)))  # [K, C, C]
    np.add.at(tables, (conversations, one, other), ratings.counts[both])
    if not both.any():
        return PairAgreement(*names, 0, math.nan, math.nan, Interval(math.nan, math.nan, "no common utterances"), {})
    whole = tables.sum(axis=0)
    used = whole.sum(axis=0) + whole.sum(axis=1)
    drawn = [_cohen_kappa(np.tensordot(weights, tables, axes=1)) for weights in how.weights(len(tables))]
    return PairAgreement(
        *names,
        float(whole.sum()),
        float(np.trace(whole) / whole.sum()),
        float(_cohen_kappa(whole[None])[0]),
        interval(np.concatenate(drawn), how.level, len(tables)),
        {label: float(2 * whole[n, n] / used[n]) for n, label in enumerate(ratings.labels) if used[n]},
    )


def _cohen_kappa(tables: _Array) -> _Array:
    """Cohen's kappa of contingency tables [B, C, C]."""
    share = tables / tables.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(share, axis1=1, axis2=2)
    return _beyond_chance(observed, (share.sum(axis=1) * share.sum(axis=2)).sum(axis=1))
