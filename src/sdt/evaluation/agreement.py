"""Agreement of annotators on the same utterances.

- Cohen's kappa of two annotators: the agreement beyond what their shares of the labels give by chance (Cohen, 1960).
- Krippendorff's alpha for nominal labels of any number of annotators, where some labels may be missing
  (Krippendorff: "Content Analysis", 4th edition, section 12.3).

Shapes: K conversations, C labels, B draws.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.evaluation.bootstrap import Interval, Resampling, interval

Key = tuple[str, str]
"""(conversation id, utterance id)."""
Labels = Mapping[Key, str]
"""The labels of an annotator."""


@dataclass(frozen=True)
class PairAgreement:
    """How far two annotators agree on the utterances that both labelled."""

    first: str
    """The name of an annotator."""
    second: str
    utterances: int
    """The number of utterances that both labelled."""
    agreement: float
    """The fraction of them with the same label; NaN if there are none."""
    kappa: float
    """Cohen's kappa; NaN if it is undefined, as both used only one label."""
    interval: Interval
    """Of kappa, by the bootstrap over conversations."""
    by_label: Mapping[str, float]
    """Label to the agreement on it: 2 n_both / (n_first + n_second), as F1."""


def pair_agreement(first: tuple[str, Labels], second: tuple[str, Labels], how: Resampling) -> PairAgreement:
    """Compare two annotators.

    Args:
        first: The name and the labels of one.
        second: Of the other.
        how: The bootstrap of the interval of kappa.
    """
    (name, one), (other_name, other) = first, second
    both = [key for key in one if key in other]
    labels = sorted({one[key] for key in both} | {other[key] for key in both})
    numbers = {label: number for number, label in enumerate(labels)}
    conversations = {name: number for number, name in enumerate(dict.fromkeys(key[0] for key in both))}
    tables = np.zeros((len(conversations), len(labels), len(labels)))  # [K, C, C]
    for key in both:
        tables[conversations[key[0]], numbers[one[key]], numbers[other[key]]] += 1
    whole = tables.sum(axis=0)
    used = whole.sum(axis=0) + whole.sum(axis=1)
    return PairAgreement(
        name,
        other_name,
        len(both),
        float(np.trace(whole) / len(both)) if both else math.nan,
        float(_kappa(whole[None])[0]) if both else math.nan,
        _interval(tables, how) if both else Interval(math.nan, math.nan, "no common utterances"),
        {label: float(2 * whole[n, n] / used[n]) for label, n in numbers.items()},
    )


def _interval(tables: npt.NDArray[np.float64], how: Resampling) -> Interval:
    drawn = [_kappa(np.tensordot(weights, tables, axes=1)) for weights in how.weights(len(tables))]
    return interval(np.concatenate(drawn), how.level, len(tables))


def _kappa(tables: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cohen's kappa of contingency tables [B, C, C]: (p_o - p_e) / (1 - p_e); NaN where p_e is 1."""
    share = tables / tables.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(share, axis1=1, axis2=2)
    expected = (share.sum(axis=1) * share.sum(axis=2)).sum(axis=1)
    room = 1 - expected
    kappa: npt.NDArray[np.float64] = np.where(room > 1e-12, (observed - expected) / np.maximum(room, 1e-12), np.nan)
    return kappa


def krippendorff_alpha(annotators: Sequence[Labels]) -> float:
    """Krippendorff's alpha for nominal labels: 1 - D_o / D_e; NaN if only one label or no common utterance occurs.

    Example:
        >>> krippendorff_alpha([{("c", "0"): "joy", ("c", "1"): "anger"}, {("c", "0"): "joy", ("c", "1"): "anger"}])
        1.0
    """
    units: dict[Key, Counter[str]] = {}
    for labels in annotators:
        for key, label in labels.items():
            units.setdefault(key, Counter())[label] += 1
    pairable = [unit for unit in units.values() if unit.total() > 1]
    values: Counter[str] = Counter()
    for unit in pairable:
        values += unit
    total = values.total()
    # Sums over ordered pairs of different labels: within units, and of all values.
    observed = sum((unit.total() ** 2 - sum(n * n for n in unit.values())) / (unit.total() - 1) for unit in pairable)
    expected = (total**2 - sum(n * n for n in values.values())) / (total - 1) if total > 1 else 0.0
    return 1.0 - observed / expected if expected else math.nan


def disagreements(annotators: Mapping[str, Labels]) -> list[Key]:
    """The utterances that at least two annotators labelled, with different labels, in the order of the first file."""
    keys = dict.fromkeys(key for labels in annotators.values() for key in labels)
    return [key for key in keys if len({labels[key] for labels in annotators.values() if key in labels}) > 1]


def all_pairs(annotators: Mapping[str, Labels], how: Resampling) -> list[PairAgreement]:
    """Every pair of annotators; see `pair_agreement`."""
    return [pair_agreement(one, other, how) for one, other in itertools.combinations(annotators.items(), 2)]
