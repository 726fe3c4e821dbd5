"""What a comparison says, in words that claim no more than the numbers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdt.evaluation.counts import MEASURES

if TYPE_CHECKING:
    from sdt.evaluation.significance import Comparison, Difference

SPOKEN = dict(zip(MEASURES, ("accuracy", "weighted F1", "macro F1"), strict=True))
LIKELY = 0.05
"""The p below which a difference is called more than noise."""


def spoken(measure: str) -> str:
    """A measure in words: `weighted F1`, `F1 of joy`."""
    return SPOKEN.get(measure) or f"F1 of {measure.removeprefix('f1:')}"


def p_value(p: float | None) -> str:
    """A p as papers print it; `-` for none."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def sentence(comparison: Comparison, measure: str) -> str:
    """How large the difference is, whether it is more than the test set's noise, and what is known of the seeds'.

    Where several systems are compared with the reference, the corrected p decide.
    """
    difference = comparison.differences[measure]
    parts = (_size(comparison, difference, measure), _test_set(comparison, difference), _seeds(comparison, difference))
    return " ".join(parts)


def _size(comparison: Comparison, difference: Difference, measure: str) -> str:
    reference, other = comparison.reference, comparison.other
    mean = " on average" if max(reference.runs, other.runs) > 1 else ""
    interval = (
        f"({100 * comparison.level:g} % interval of the difference {100 * difference.low:+.2f} to "
        f"{100 * difference.high:+.2f}, bootstrap over {reference.conversations} conversations)"
    )
    points = f"{100 * abs(difference.value):.2f}"
    if points == "0.00":
        return f"{other.name} and {reference.name} have the same {spoken(measure)}{mean} {interval}."
    place = "above" if difference.value > 0 else "below"
    return f"{other.name} is {points} points of {spoken(measure)} {place} {reference.name}{mean} {interval}."


def _test_set(comparison: Comparison, difference: Difference) -> str:
    found = _p(difference.p, difference.p_holm, comparison)
    if difference.low == difference.high == 0:
        return f"No draw of the test set makes a difference ({found})."
    if difference.p_holm < LIKELY:
        return f"The difference is more than test-set noise ({found})."
    return f"The difference is not more than test-set noise can make ({found}): another test set could turn it round."


def _seeds(comparison: Comparison, difference: Difference) -> str:
    t, pairs = difference.t, difference.t.pairs
    if pairs < 2:
        return (
            "That is said of these very models; what other seeds would give is not known: it takes several runs on "
            "each side, with the same seeds."
        )
    if t.p is None or difference.t_holm is None:
        return f"Over {pairs} seeds {t.note}."
    found = f"Over {pairs} seeds the paired t-test gives {_p(t.p, difference.t_holm, comparison)}"
    if difference.t_holm < LIKELY:
        found += ", so it is more than the noise of seeds"
    else:
        found += ", so it is not more than seeds can make"
    few = difference.wilcoxon.note
    return f"{found}; {few}." if few else f"{found}; Wilcoxon's test gives {_only(difference.wilcoxon.p)}."


def _p(p: float, corrected: float, comparison: Comparison) -> str:
    if comparison.compared == 1:
        return _only(p)
    return f"{_only(p)}, corrected for {comparison.compared} comparisons {_only(corrected)}"


def _only(p: float | None) -> str:
    text = p_value(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"
