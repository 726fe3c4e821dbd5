"""Comparison of systems by their predictions: differences with confidence intervals and p-values.

Every difference is tested for three sources of chance:
- the test set: the paired bootstrap over conversations (`bootstrap`);
- the seeds: the paired t-test and Wilcoxon's test over seeds (`seed_tests`);
- multiple comparisons: Holm's correction, for a metric over all systems compared with the reference, for the F1 of
  classes over all classes of all these systems.

    reference, *others = systems
    for comparison in compare(reference, others):
        print(comparison.sentence("weighted_f1"))

Shapes: C classes, S systems, B draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError
from sdt.evaluation.bootstrap import (
    Interval,
    Resampling,
    interval,
    interval_values,
    resample,
    two_sided_p,
)
from sdt.evaluation.counts import Counts
from sdt.evaluation.metrics import MAIN, measure_names, metrics
from sdt.evaluation.seed_tests import SeedTest, holm, paired, t_test, wilcoxon
from sdt.evaluation.seeds import Spread
from sdt.evaluation.system import System
from sdt.evaluation.verdict import ALPHA, Verdict, limitations, sentence, verdict

DEFAULT = Resampling()
NO_UTTERANCE = "no utterance of this class in the test set"


@dataclass(frozen=True)
class Estimate:
    """One measure of one system; fractions from 0 to 1."""

    spread: Spread
    """Statistics over the runs."""
    low: float
    """Lower bound of the bootstrap interval of the mean over the runs; NaN if it cannot be estimated."""
    high: float
    """Upper bound."""
    note: str = ""
    """Why there is no interval; empty if there is one."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ends = interval_values(self.low, self.high, self.note)
        return {"mean": self.spread.mean, "deviation": self.spread.deviation, **ends}


class Family(NamedTuple):
    """The number of p-values of each test in a family of comparisons; undefined tests do not count."""

    bootstrap: int
    t: int
    wilcoxon: int


SINGLE = Family(1, 1, 1)


@dataclass(frozen=True)
class Difference:
    """One measure of two systems, other - reference; fractions from -1 to 1."""

    value: float
    """Difference of the means over the runs."""
    low: float
    """Lower bound of the interval of the paired bootstrap over conversations; NaN if it cannot be estimated."""
    high: float
    """Upper bound."""
    note: str
    """Why there is no interval; empty if there is one."""
    p: float | None
    """Two-sided p-value of the same bootstrap; None if the test is undefined."""
    t: SeedTest
    """Paired t-test over seeds."""
    wilcoxon: SeedTest
    """Wilcoxon's test over seeds."""
    p_holm: float | None = None
    """`p` with Holm's correction."""
    t_holm: float | None = None
    """`t.p` with Holm's correction."""
    wilcoxon_holm: float | None = None
    """`wilcoxon.p` with Holm's correction."""
    family: Family = SINGLE
    """Number of comparisons in the correction of each test."""

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value of the bootstrap is below 0.05."""
        return self.p_holm is not None and self.p_holm < ALPHA

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "difference": self.value,
            **interval_values(self.low, self.high, self.note),
            "bootstrap": {"p": self.p, "p_holm": self.p_holm, "comparisons": self.family.bootstrap},
            "t_test": {**self.t.to_dict(), "p_holm": self.t_holm, "comparisons": self.family.t},
            "wilcoxon": {**self.wilcoxon.to_dict(), "p_holm": self.wilcoxon_holm, "comparisons": self.family.wilcoxon},
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """The comparison of a system with the reference. Measures are the metrics and `f1:LABEL`."""

    reference: System
    """The reference."""
    other: System
    """The other system."""
    estimates: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]
    """Estimates of the reference and of the other system, by measure."""
    differences: Mapping[str, Difference]
    """Differences by measure."""
    level: float
    """Confidence level of the intervals."""
    notes: tuple[str, ...]
    """Notes on the interpretation of the results, one line each."""

    def verdict(self, measure: str = MAIN) -> Verdict:
        """The conclusion for a measure."""
        return verdict(self.differences[measure])

    def sentence(self, measure: str = MAIN) -> str:
        """The conclusion for a measure as text."""
        return sentence(self, measure)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "reference": self.reference.name,
            "other": self.other.name,
            "measures": {
                name: {
                    "reference": self.estimates[0][name].to_dict(),
                    "other": self.estimates[1][name].to_dict(),
                    **difference.to_dict(),
                }
                for name, difference in self.differences.items()
            },
            "verdicts": {measure: self.verdict(measure).to_dict() for measure in metrics()},
            "sentences": {measure: self.sentence(measure) for measure in metrics()},
            "notes": list(self.notes),
        }


def estimates(systems: Sequence[System], resampling: Resampling = DEFAULT) -> list[dict[str, Estimate]]:
    """Compute every measure of systems with its interval.

    Args:
        systems: Systems on the same test set, in the same order (`System.aligned`).
        resampling: Settings of the bootstrap.
    """
    drawn = resample([system.counts() for system in systems], resampling)
    return [_estimates(system, drawn[index], resampling.level) for index, system in enumerate(systems)]


def compare(
    reference: System,
    others: Sequence[System],
    *,
    resampling: Resampling = DEFAULT,
    other_features: bool = False,
) -> list[Comparison]:
    """Compare systems with a reference.

    Args:
        reference: The reference; differences are other - reference.
        others: One or more other systems; results do not depend on their order.
        resampling: Settings of the bootstrap.
        other_features: Whether systems may have been trained and tested on corpora with different features, for example
            of another text encoder. Utterances, annotations and labels of the test set must be the same.

    Raises:
        InputError: The systems were tested on different utterances, annotations or labels, or on different corpora
            without `other_features`.
    """
    systems = align([reference, *others], other_features=other_features)
    drawn = resample([system.counts() for system in systems], resampling)  # [S, B, measures]
    sides = [_estimates(system, drawn[index], resampling.level) for index, system in enumerate(systems)]
    differences = [
        _differences(systems[0], system, drawn[index] - drawn[0], resampling.level)
        for index, system in enumerate(systems)
        if index > 0
    ]
    return [
        Comparison(
            systems[0], system, (sides[0], side), difference, resampling.level, tuple(limitations(systems[0], system))
        )
        for system, side, difference in zip(systems[1:], sides[1:], _corrected(differences), strict=True)
    ]


def align(systems: Sequence[System], *, other_features: bool = False) -> list[System]:
    """Return the systems with utterances and class numbers in the order of the first.

    Raises:
        InputError: See `compare`.
    """
    first, *rest = systems
    for system in rest:
        known = first.corpus_sha256, system.corpus_sha256
        if not other_features and None not in known and known[0] != known[1]:
            raise InputError(
                f"{system.name} and {first.name} were trained on different corpora; if only the features differ, add "
                "--other-features, which compares the test sets utterance by utterance"
            )
    return [first, *(system.aligned(first) for system in rest)]


def _estimates(system: System, drawn: npt.NDArray[np.float64], level: float) -> dict[str, Estimate]:
    counts = system.counts()
    totals, ends = counts.totals(), _intervals(counts, drawn, level)  # [R, measures]
    return {
        name: Estimate(Spread.of(totals[:, column].tolist()), *ends[column])
        for column, name in enumerate(measure_names(system.labels))
    }


def _intervals(counts: Counts, drawn: npt.NDArray[np.float64], level: float) -> list[Interval]:
    """The interval of each column of `drawn` [B, measures]; classes that do not occur have none."""
    occurs = [True] * len(metrics()) + (counts.support.sum(axis=0) > 0).tolist()
    return [
        interval(drawn[:, column], level, counts.conversations) if exists else Interval(np.nan, np.nan, NO_UTTERANCE)
        for column, exists in enumerate(occurs)
    ]


def _differences(
    reference: System, other: System, drawn: npt.NDArray[np.float64], level: float
) -> dict[str, Difference]:
    """Compute every difference without correction; `drawn` is [B, measures]."""
    counts = reference.counts()
    before, after = counts.totals(), other.counts().totals()  # [R, measures] each
    ends, found = _intervals(counts, drawn, level), {}
    for column, name in enumerate(measure_names(reference.labels)):
        by_seed = paired(reference.by_seed(before[:, column]), other.by_seed(after[:, column]))
        absent = ends[column].note == NO_UTTERANCE
        undefined = SeedTest(None, len(by_seed), NO_UTTERANCE)
        found[name] = Difference(
            float(after[:, column].mean() - before[:, column].mean()),
            *ends[column],
            p=None if absent else two_sided_p(drawn[:, column], counts.conversations),
            t=undefined if absent else t_test(by_seed),
            wilcoxon=undefined if absent else wilcoxon(by_seed),
        )
    return found


def _corrected(differences: Sequence[Mapping[str, Difference]]) -> list[dict[str, Difference]]:
    """Correct the p-values of every family: each metric is one family, all classes together are another."""
    names = list(differences[0]) if differences else []
    families = [[name] for name in names if name in metrics()]
    families.append([name for name in names if name not in metrics()])
    corrected: list[dict[str, Difference]] = [dict(by_measure) for by_measure in differences]
    for family in families:
        members = [(index, name) for index in range(len(differences)) for name in family]
        made = [differences[index][name] for index, name in members]
        by_test = [[d.p for d in made], [d.t.p for d in made], [d.wilcoxon.p for d in made]]
        size = Family(*(sum(p is not None for p in of_test) for of_test in by_test))
        for (index, name), difference, p, t, w in zip(members, made, *map(holm, by_test), strict=True):
            corrected[index][name] = replace(difference, p_holm=p, t_holm=t, wilcoxon_holm=w, family=size)
    return corrected
