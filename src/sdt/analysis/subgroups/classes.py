"""Scores of rare classes and of pairs of classes that are confused with each other.

Shapes: N annotated utterances, K conversations, R runs, C classes, B draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.corpus.selection import label_counts
from sdt.corpus.store import Corpus
from sdt.evaluation.bootstrap import Resampling, interval, resample
from sdt.evaluation.metrics import class_measure, metrics
from sdt.evaluation.seeds import Spread
from sdt.evaluation.significance import Estimate, estimates
from sdt.evaluation.system import System

ALIKE = (("happy", "excited"), ("angry", "frustrated"))
"""Pairs of IEMOCAP that are discussed in the literature; shown if a corpus has both labels."""
SHOWN_PAIRS = 5


@dataclass(frozen=True)
class ClassSubgroup:
    """The scores of one class, or the mean over several classes."""

    share: float | None
    """Share of the annotated utterances of train; None without a train split."""
    support: int
    """Number of annotated utterances in the test set."""
    f1: Estimate
    """F1."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"share_of_train": self.share, "utterances": self.support, "f1": self.f1.to_dict()}


@dataclass(frozen=True)
class Pair:
    """The confusion of two classes; fractions from 0 to 1."""

    classes: tuple[str, str]
    """The labels of the two classes."""
    first_as_second: float | None
    """Share of the utterances of the first class that are predicted as the second, averaged over the runs; None if the
    first does not occur."""
    second_as_first: float | None
    """Share of the utterances of the second class that are predicted as the first."""
    mutual: Estimate
    """Share of the utterances of both classes that are predicted as the other one."""

    @property
    def name(self) -> str:
        """`anger / disgust`."""
        return " / ".join(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "classes": list(self.classes),
            "first_as_second": self.first_as_second,
            "second_as_first": self.second_as_first,
            "mutual": self.mutual.to_dict(),
        }


def class_shares(corpus: Corpus) -> dict[str, float]:
    """Compute the share of every label among the annotated utterances of train; empty if there are none."""
    if "train" not in corpus.splits:
        return {}
    counts = label_counts(corpus.split("train"), corpus.labels).tolist()
    return {label: count / sum(counts) for label, count in zip(corpus.labels, counts, strict=True) if sum(counts)}


def rare_classes(shares: Mapping[str, float]) -> list[str]:
    """The classes whose share of train is below 1 / (2 C), half of a uniform share."""
    return [label for label, share in shares.items() if share < 1 / (2 * len(shares))]


def score_classes(system: System, shares: Mapping[str, float], resampling: Resampling) -> dict[str, ClassSubgroup]:
    """Compute the F1 of every class, from the most frequent to the rarest.

    If there are several rare classes, the mean F1 of the rare and of the other classes follow; classes that do not
    occur in the test set are excluded.

    Args:
        system: The system.
        shares: See `class_shares`.
        resampling: Settings of the bootstrap.
    """
    (of,) = estimates([system], resampling)
    support = np.bincount(system.true, minlength=len(system.labels)).tolist()
    order = sorted(range(len(system.labels)), key=lambda c: -shares.get(system.labels[c], support[c]))
    found = {
        system.labels[c]: ClassSubgroup(shares.get(system.labels[c]), support[c], of[class_measure(system.labels[c])])
        for c in order
    }
    rare = rare_classes(shares)
    if len(rare) > 1:
        totals, drawn = system.counts().totals(), resample([system.counts()], resampling)[0]
        others = [label for label in shares if label not in rare]
        for name, of_train in (("mean of the rare", rare), ("mean of the others", others)):
            labels = [label for label in of_train if support[system.labels.index(label)]]
            if not labels:
                continue
            columns = [len(metrics()) + system.labels.index(label) for label in labels]
            found[name] = ClassSubgroup(
                sum(shares[label] for label in labels),
                sum(support[system.labels.index(label)] for label in labels),
                Estimate(
                    Spread.of(totals[:, columns].mean(axis=1).tolist()),
                    *interval(drawn[:, columns].mean(axis=1), resampling.level, system.conversations),
                ),
            )
    return found


def similar_classes(system: System, resampling: Resampling, shown: int = SHOWN_PAIRS) -> list[Pair]:
    """Find the pairs of classes that are most often confused, and add those of `ALIKE`.

    Args:
        system: The system.
        resampling: Settings of the bootstrap.
        shown: Maximum number of pairs, not counting those of `ALIKE`.
    """
    share = {(a, b): _mutual(system, a, b) for a, b in itertools.combinations(range(len(system.labels)), 2)}
    mixed = [pair for pair, (taken, of_both) in share.items() if taken.any() and of_both.any()]
    mixed.sort(key=lambda pair: -share[pair][0].sum() / share[pair][1].sum())
    chosen = mixed[:shown]
    for first, second in ALIKE:
        if first in system.labels and second in system.labels:
            a, b = sorted((system.labels.index(first), system.labels.index(second)))
            if (a, b) not in chosen and share[a, b][1].any():
                chosen.append((a, b))
    return [_pair(system, pair, share[pair], resampling) for pair in chosen]


def _mutual(system: System, a: int, b: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count the utterances of two classes that are predicted as the other one [K, R], and all of them [K]."""
    K = system.conversations

    def by_conversation(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.bincount(system.conversation[where], minlength=K).astype(np.float64)

    taken = ((system.true == a) & (system.predicted == b)) | ((system.true == b) & (system.predicted == a))  # [R, N]
    return np.stack(list(map(by_conversation, taken)), axis=1), by_conversation(np.isin(system.true, (a, b)))


def _pair(
    system: System,
    pair: tuple[int, int],
    counts: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    resampling: Resampling,
) -> Pair:
    a, b = pair
    taken, of_both = counts
    drawn = np.concatenate(
        [
            (weights @ taken).mean(axis=1) / np.where(weights @ of_both > 0, weights @ of_both, np.nan)
            for weights in resampling.weights(len(of_both))
        ]
    )
    by_run = taken.sum(axis=0) / of_both.sum()  # [R]

    def share(true: int, predicted: int) -> float | None:
        where = system.true == true
        return float((system.predicted[:, where] == predicted).mean()) if where.any() else None

    return Pair(
        (system.labels[a], system.labels[b]),
        share(a, b),
        share(b, a),
        Estimate(Spread.of(by_run.tolist()), *interval(drawn, resampling.level, int((of_both > 0).sum()))),
    )
