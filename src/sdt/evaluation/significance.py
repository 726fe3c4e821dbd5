"""Compares systems by their predictions: differences with confidence intervals and p-values.

Three questions are asked of every difference, and each has an answer of its own:
- could another test set turn it round? The paired bootstrap over conversations (`bootstrap`);
- could other seeds turn it round? The paired t-test and Wilcoxon's test over seeds (`seed_tests`);
- is it one of many that were looked for? Holm's correction: for a measure, over all the systems that are compared with
  the reference; for the F1 of classes, over all classes of all these systems.

    reference, *others = systems
    for comparison in compare(reference, others):
        print(comparison.sentence("weighted_f1"))

Shapes: C classes, S systems, B draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError
from sdt.evaluation.bootstrap import (
    FEW_CONVERSATIONS,
    FEWEST_CONVERSATIONS,
    Interval,
    Resampling,
    interval,
    interval_values,
    resample,
    too_few,
    two_sided_p,
)
from sdt.evaluation.counts import Counts
from sdt.evaluation.metrics import MAIN, measure_names, metrics
from sdt.evaluation.seed_tests import FEW_SEEDS, SeedTest, holm, paired, t_test, wilcoxon
from sdt.evaluation.seeds import Spread
from sdt.evaluation.system import System
from sdt.evaluation.verdict import LIKELY, Verdict, sentence, verdict

DEFAULT = Resampling()
NO_UTTERANCE = "no utterance of this class in the test set"


@dataclass(frozen=True)
class Estimate:
    """One measure of one system; fractions from 0 to 1."""

    spread: Spread
    """Mean and standard deviation over its runs."""
    low: float
    """The interval of the mean over the runs, by the bootstrap over conversations; NaN if it is not estimable."""
    high: float
    note: str = ""
    """Why there is no interval; empty if there is one."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ends = interval_values(self.low, self.high, self.note)
        return {"mean": self.spread.mean, "deviation": self.spread.deviation, **ends}


class Family(NamedTuple):
    """How many p each test gives in a family of comparisons; a test that is undefined for one gives none there."""

    bootstrap: int
    t: int
    wilcoxon: int


ALONE = Family(1, 1, 1)


@dataclass(frozen=True)
class Difference:
    """One measure of two systems, other - reference; fractions from -1 to 1."""

    value: float
    """The difference of the means over the runs."""
    low: float
    """The interval, by the paired bootstrap over conversations; NaN if it is not estimable."""
    high: float
    note: str
    """Why there is no interval; empty if there is one."""
    p: float | None
    """Two-sided, by the same bootstrap; None if the test is undefined."""
    t: SeedTest
    wilcoxon: SeedTest
    p_holm: float | None = None
    """`p`, corrected for the comparisons of its family; those below likewise."""
    t_holm: float | None = None
    wilcoxon_holm: float | None = None
    family: Family = ALONE
    """For how many comparisons the p of each test are corrected."""

    @property
    def likely(self) -> bool:
        """Whether the corrected p of the bootstrap is below 0.05."""
        return self.p_holm is not None and self.p_holm < LIKELY

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
    """A system against the reference. Measures are the metrics and `f1:LABEL`, see `sdt.evaluation.metrics`."""

    reference: System
    other: System
    estimates: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]
    """Of the reference and of the other, by measure."""
    differences: Mapping[str, Difference]
    """By measure."""
    level: float
    """Of the intervals."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know, one line each."""

    def verdict(self, measure: str = MAIN) -> Verdict:
        """What the numbers of a measure allow to conclude."""
        return verdict(self.differences[measure])

    def sentence(self, measure: str = MAIN) -> str:
        """What the numbers of a measure say, in words."""
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


def estimates(systems: Sequence[System], how: Resampling = DEFAULT) -> list[dict[str, Estimate]]:
    """Every measure of some systems with its interval.

    Args:
        systems: On the same test set, in the same order (`System.aligned`).
        how: How the bootstrap is made.
    """
    drawn = resample([system.counts() for system in systems], how)
    return [_estimates(system, drawn[index], how.level) for index, system in enumerate(systems)]


def compare(
    reference: System,
    others: Sequence[System],
    *,
    how: Resampling = DEFAULT,
    other_features: bool = False,
) -> list[Comparison]:
    """Compare systems with a reference.

    Args:
        reference: What the others are compared with; differences are other - reference.
        others: One or more; their order has no influence on the numbers.
        how: How the bootstrap is made.
        other_features: Whether systems may have been trained and tested on different corpus folders, provided that
            utterances, annotations and labels of the test set are the same: another text encoder, say.

    Raises:
        InputError: The systems were not tested on the same utterances, annotations and labels; or on different corpora
            without `other_features`.
    """
    systems = align([reference, *others], other_features=other_features)
    drawn = resample([system.counts() for system in systems], how)  # [S, B, measures]
    sides = [_estimates(system, drawn[index], how.level) for index, system in enumerate(systems)]
    differences = [
        _differences(systems[0], system, drawn[index] - drawn[0], how.level)
        for index, system in enumerate(systems)
        if index > 0
    ]
    return [
        Comparison(systems[0], system, (sides[0], side), difference, how.level, tuple(_notes(systems[0], system)))
        for system, side, difference in zip(systems[1:], sides[1:], _corrected(differences), strict=True)
    ]


def align(systems: Sequence[System], *, other_features: bool = False) -> list[System]:
    """The systems with utterances and class numbers in the order of the first.

    Raises:
        InputError: See `compare`.
    """
    first, *rest = systems
    for system in rest:
        known = first.corpus_sha256, system.corpus_sha256
        if not other_features and None not in known and known[0] != known[1]:
            raise InputError(
                f"{system.name} and {first.name} were made on different corpora; if these differ in nothing but the "
                "features, say so with --other-features: the test sets are compared utterance by utterance"
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
    """One for each column of `drawn` [B, measures]; none for a class that does not occur: its F1 is 0 by convention."""
    occurs = [True] * len(metrics()) + (counts.support.sum(axis=0) > 0).tolist()
    return [
        interval(drawn[:, column], level, counts.conversations) if there else Interval(np.nan, np.nan, NO_UTTERANCE)
        for column, there in enumerate(occurs)
    ]


def _differences(
    reference: System, other: System, drawn: npt.NDArray[np.float64], level: float
) -> dict[str, Difference]:
    """Every difference, not corrected yet; `drawn` is [B, measures]."""
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
    """Correct p in every family: each measure by itself, and the classes together."""
    names = list(differences[0]) if differences else []
    families = [[name] for name in names if name in metrics()]
    families.append([name for name in names if name not in metrics()])
    corrected: list[dict[str, Difference]] = [dict(of) for of in differences]
    for family in families:
        members = [(index, name) for index in range(len(differences)) for name in family]
        made = [differences[index][name] for index, name in members]
        by_test = [[d.p for d in made], [d.t.p for d in made], [d.wilcoxon.p for d in made]]
        size = Family(*(sum(p is not None for p in of_test) for of_test in by_test))
        for (index, name), difference, p, t, w in zip(members, made, *map(holm, by_test), strict=True):
            corrected[index][name] = replace(difference, p_holm=p, t_holm=t, wilcoxon_holm=w, family=size)
    return corrected


def _notes(reference: System, other: System) -> Iterable[str]:
    for system in (reference, other):
        yield from (f"{system.name}: {caveat}" for caveat in system.caveats)
    if reference.corpus_sha256 != other.corpus_sha256 and reference.corpus_sha256 and other.corpus_sha256:
        yield f"{reference.name} and {other.name} were made on corpora with different features, on the same test set"
    if reference.conversations < FEWEST_CONVERSATIONS:
        yield f"no intervals and no p over test sets: the test set has {too_few(reference.conversations)}"
    elif reference.conversations < FEW_CONVERSATIONS:
        yield f"the test set has only {reference.conversations} conversations; intervals and p come out too small"
    seeds = [set(system.seeds) - {None} for system in (reference, other)]
    common = seeds[0] & seeds[1]
    if seeds[0] != seeds[1] and len(common) >= FEW_SEEDS:
        yield (
            f"{reference.name} and {other.name} were not run with the same seeds; tests over seeds use {len(common)}"
        )
    if len(common) < FEW_SEEDS:
        yield (
            f"{reference.name} has {_runs(reference)}, {other.name} {_runs(other)}, {len(common)} with a common seed: "
            f"too few to say what other seeds would give (at least {FEW_SEEDS})"
        )


def _runs(system: System) -> str:
    return "1 run" if system.runs == 1 else f"{system.runs} runs"
