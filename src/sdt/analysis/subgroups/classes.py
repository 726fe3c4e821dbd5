"""Scores of rare classes and of classes that are confused with each other.

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
"""The pairs of IEMOCAP that papers speak of; shown wherever a corpus has both labels."""
SHOWN_PAIRS = 5


@dataclass(frozen=True)
class ClassSubgroup:
    """One class, or the mean over some."""

    share: float | None
    """Of the annotated utterances of train; None if there is no train split."""
    support: int
    """Annotated utterances in the test set."""
    f1: Estimate

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"share_of_train": self.share, "utterances": self.support, "f1": self.f1.to_dict()}


@dataclass(frozen=True)
class Pair:
    """Two classes that are taken for each other; fractions from 0 to 1."""

    classes: tuple[str, str]
    first_as_second: float | None
    """Share of the first one's utterances that are predicted as the second, the mean over the runs; None if the
    first does not occur."""
    second_as_first: float | None
    mutual: Estimate
    """Share of both classes' utterances that are predicted as the other of the two."""

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
    """The share of every label among the annotated utterances of train; empty if there are none."""
    if "train" not in corpus.splits:
        return {}
    counts = label_counts(corpus.split("train"), corpus.labels).tolist()
    return {label: count / sum(counts) for label, count in zip(corpus.labels, counts, strict=True) if sum(counts)}


def rare_classes(shares: Mapping[str, float]) -> list[str]:
    """The classes that have less than half of an even share of train, 1 / (2 C)."""
    return [label for label, share in shares.items() if share < 1 / (2 * len(shares))]


def score_classes(system: System, shares: Mapping[str, float], how: Resampling) -> dict[str, ClassSubgroup]:
    """The F1 of every class, from the most frequent to the rarest.

    Where there are several rare ones, its mean over these and over the others follows, without the classes that the
    test set does not have.

    Args:
        system: The system.
        shares: See `class_shares`.
        how: How the bootstrap is made.
    """
    (of,) = estimates([system], how)
    support = np.bincount(system.true, minlength=len(system.labels)).tolist()
    order = sorted(range(len(system.labels)), key=lambda c: -shares.get(system.labels[c], support[c]))
    found = {
        system.labels[c]: ClassSubgroup(shares.get(system.labels[c]), support[c], of[class_measure(system.labels[c])])
        for c in order
    }
    rare = rare_classes(shares)
    if len(rare) > 1:
        totals, drawn = system.counts().totals(), resample([system.counts()], how)[0]
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
                    *interval(drawn[:, columns].mean(axis=1), how.level, system.conversations),
                ),
            )
    return found


def similar_classes(system: System, how: Resampling, shown: int = SHOWN_PAIRS) -> list[Pair]:
    """The pairs of classes that are most often taken for each other, and those of `ALIKE`.

    Args:
        system: The system.
        how: How the bootstrap is made.
        shown: How many pairs, those of `ALIKE` apart.
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
    return [_pair(system, pair, share[pair], how) for pair in chosen]


def _mutual(system: System, a: int, b: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How many utterances of two classes are taken for the other [K, R], and how many there are [K]."""
    K = system.conversations

    def by_conversation(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.bincount(system.conversation[where], minlength=K).astype(np.float64)

    taken = ((system.true == a) & (system.predicted == b)) | ((system.true == b) & (system.predicted == a))  # [R, N]
    return np.stack(list(map(by_conversation, taken)), axis=1), by_conversation(np.isin(system.true, (a, b)))


def _pair(
    system: System,
    pair: tuple[int, int],
    counts: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    how: Resampling,
) -> Pair:
    a, b = pair
    taken, of_both = counts
    drawn = np.concatenate(
        [
            (weights @ taken).mean(axis=1) / np.where(weights @ of_both > 0, weights @ of_both, np.nan)
            for weights in how.weights(len(of_both))
        ]
    )
    by_run = taken.sum(axis=0) / of_both.sum()  # [R]

    def share(true: int, said: int) -> float | None:
        where = system.true == true
        return float((system.predicted[:, where] == said).mean()) if where.any() else None

    return Pair(
        (system.labels[a], system.labels[b]),
        share(a, b),
        share(b, a),
        Estimate(Spread.of(by_run.tolist()), *interval(drawn, how.level, int((of_both > 0).sum()))),
    )
