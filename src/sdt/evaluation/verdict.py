"""Conclusions of a comparison, as values and as sentences that state the limits of the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sdt.evaluation.bootstrap import FEW_CONVERSATIONS, FEWEST_CONVERSATIONS, too_few
from sdt.evaluation.metrics import measure as measure_of
from sdt.evaluation.seed_tests import FEW_SEEDS

if TYPE_CHECKING:
    from sdt.evaluation.significance import Comparison, Difference, Family
    from sdt.evaluation.system import System

ALPHA = 0.05
"""Significance level."""
Finding = Literal["significant", "not significant", "undefined", "too few"]
"""`undefined`: the test has no p-value. `too few`: there are too few common seeds for a conclusion."""

FEW_SEEDS_NOTE = "conclusions about other seeds need at least"


@dataclass(frozen=True)
class Verdict:
    """The conclusions on a difference after Holm's correction."""

    test_set: Finding
    """Conclusion on other test sets, from the bootstrap over conversations."""
    seeds: Finding
    """Conclusion on other seeds, from the paired t-test."""

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return asdict(self)


class HasInterval(Protocol):
    """An estimate with a percentile interval; its bounds are NaN if it cannot be estimated."""

    @property
    def low(self) -> float:
        """Lower bound."""

    @property
    def high(self) -> float:
        """Upper bound."""


def verdict(difference: Difference) -> Verdict:
    """Derive the conclusions on a difference."""
    seeds = _finding(difference.t_holm)
    return Verdict(_finding(difference.p_holm), seeds if difference.t.pairs >= FEW_SEEDS else "too few")


def _finding(p: float | None) -> Finding:
    if p is None:
        return "undefined"
    return "significant" if p < ALPHA else "not significant"


def p_value(p: float | None) -> str:
    """Format a p-value; `-` for None."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def interval_text(of: HasInterval, form: str, to: str = " to ", scale: float = 100.0) -> str:
    """Format an interval, by default in percent or points; `-` if it cannot be estimated."""
    return "-" if of.low != of.low else f"{scale * of.low:{form}}{to}{scale * of.high:{form}}"


def corrected_for(sizes: Family) -> str:
    """The number of comparisons in the correction, by test if they differ; empty without a correction."""
    if max(sizes) <= 1:
        return ""
    if len(set(sizes)) == 1:
        return f"{sizes.bootstrap} comparisons"
    return f"{sizes.bootstrap} (bootstrap), {sizes.t} (t-test) and {sizes.wilcoxon} (Wilcoxon) comparisons"


def sentence(comparison: Comparison, measure: str) -> str:
    """Describe the size of a difference and its significance with respect to the test set and the seeds.

    If several systems are compared with the reference, the corrected p-values decide.
    """
    difference = comparison.differences[measure]
    found = verdict(difference)
    parts = (
        _size(comparison, difference, measure),
        _test_set(comparison, difference, found.test_set),
        _seeds(difference, found.seeds),
    )
    return " ".join(parts)


def _size(comparison: Comparison, difference: Difference, measure: str) -> str:
    reference, other = comparison.reference, comparison.other
    mean = " on average" if max(reference.runs, other.runs) > 1 else ""
    metric = measure_of(measure)
    interval = (
        f"(no interval of the difference: {difference.note})"
        if difference.note
        else f"({100 * comparison.level:g} % interval of the difference "
        f"{interval_text(difference, f'+.{metric.decimals}f', scale=metric.scale)}, bootstrap over "
        f"{reference.conversations} conversations)"
    )
    points = metric.text(abs(difference.value))
    if not float(points):
        return f"{other.name} and {reference.name} have the same {metric.title}{mean} {interval}."
    place = "above" if difference.value > 0 else "below"
    size = f"{points} points" if metric.scale == 100 else points
    return f"{other.name} is {size} of {metric.title} {place} {reference.name}{mean} {interval}."


def _test_set(comparison: Comparison, difference: Difference, finding: Finding) -> str:
    if finding == "undefined":
        return "The significance with respect to the test set cannot be estimated."
    if difference.note and abs(difference.value) < 1e-12:
        return "The systems do not differ in any bootstrap sample of the test set."
    found = _p(difference.p, difference.p_holm, difference.family.bootstrap)
    conversations = comparison.reference.conversations
    if conversations < FEW_CONVERSATIONS:
        found += f"; with {conversations} conversations p is too small"
    if finding == "significant":
        return f"The difference is significant with respect to the test set ({found})."
    return f"The difference is not significant ({found}); it may not hold on another test set."


def _seeds(difference: Difference, finding: Finding) -> str:
    t, pairs = difference.t, difference.t.pairs
    if pairs < 2:
        return "This applies to these models only; to compare methods, train several runs of each with the same seeds."
    if t.p is None:
        return f"Over {pairs} seeds {t.note}."
    found = f"Over {pairs} seeds the paired t-test gives {_p(t.p, difference.t_holm, difference.family.t)}"
    if finding == "too few":
        return f"{found}; {pairs} seeds are too few for a conclusion about other seeds."
    found += f"; the difference is {finding} with respect to the seeds"
    few = difference.wilcoxon.note
    return f"{found}; {few}." if few else f"{found}; Wilcoxon's test gives {_only(difference.wilcoxon.p)}."


def _p(p: float | None, corrected: float | None, comparisons: int) -> str:
    if comparisons == 1:
        return _only(p)
    return f"{_only(p)}, corrected for {comparisons} comparisons {_only(corrected)}"


def _only(p: float | None) -> str:
    text = p_value(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def limitations(reference: System, other: System) -> Iterator[str]:
    """Yield notes on what limits the conclusions of a comparison, one line each."""
    for system in (reference, other):
        yield from (f"{system.name}: {caveat}" for caveat in system.caveats)
    if reference.corpus_sha256 != other.corpus_sha256 and reference.corpus_sha256 and other.corpus_sha256:
        yield f"{reference.name} and {other.name} were trained on different features of the same test set"
    if reference.conversations < FEWEST_CONVERSATIONS:
        yield f"no bootstrap intervals and p-values: the test set has {too_few(reference.conversations)}"
    elif reference.conversations < FEW_CONVERSATIONS:
        yield (
            f"the test set has only {reference.conversations} conversations; intervals are too narrow and p-values too "
            "small"
        )
    seeds = [set(system.seeds) - {None} for system in (reference, other)]
    common = seeds[0] & seeds[1]
    if seeds[0] != seeds[1] and len(common) >= FEW_SEEDS:
        yield (
            f"{reference.name} and {other.name} have different seeds; tests over seeds use the {len(common)} common "
            "ones"
        )
    if len(common) < FEW_SEEDS:
        yield (
            f"{reference.name} has {_runs(reference)}, {other.name} {_runs(other)}; common seeds: {len(common)}, but "
            f"{FEW_SEEDS_NOTE} {FEW_SEEDS}"
        )


def _runs(system: System) -> str:
    return "1 run" if system.runs == 1 else f"{system.runs} runs"
