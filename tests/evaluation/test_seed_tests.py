"""Tests over seeds, against scipy's, and Holm's correction by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from sdt.evaluation.seed_tests import holm, paired, t_test, wilcoxon

rng = np.random.default_rng(3)


@pytest.mark.parametrize("pairs", [2, 5, 10, 30])
def test_t_is_that_of_scipy(pairs: int) -> None:
    one, other = rng.normal(size=(2, pairs))
    found = t_test(other - one)
    assert found.p == pytest.approx(scipy.stats.ttest_rel(other, one).pvalue)
    assert found.pairs == pairs


@pytest.mark.parametrize("pairs", [6, 9, 16, 30])
def test_wilcoxon_is_that_of_scipy(pairs: int) -> None:
    differences = rng.normal(0.3, 1, size=pairs)
    assert wilcoxon(differences).p == pytest.approx(scipy.stats.wilcoxon(differences).pvalue)


def test_wilcoxon_with_ties_is_exact() -> None:
    """Four equal gains and one equal loss: |4 - 1| or more of 5 in 2 * (1 + 5) of 32 cases."""
    found = wilcoxon(np.array([0.01, 0.01, 0.01, 0.01, -0.01, 0.0]))
    assert found.p == pytest.approx(12 / 32)


@pytest.mark.parametrize(("pairs", "least"), [(2, 0.5), (3, 0.25), (4, 0.125), (5, 0.0625)])
def test_wilcoxon_says_what_few_seeds_cannot(pairs: int, least: float) -> None:
    found = wilcoxon(np.arange(1, pairs + 1) / 10)
    assert found.p == pytest.approx(least)
    assert f"with {pairs} seeds Wilcoxon's p is at least {least:.4g}" in found.note
    six = wilcoxon(np.arange(1, 7) / 10)
    assert six.p is not None
    assert six.p < 0.05
    assert six.note == ""


def test_nothing_to_test() -> None:
    for test in (t_test, wilcoxon):
        assert test(np.array([])).p is None
        assert "no seeds in common" in test(np.array([])).note
        assert "1 seed in common" in test(np.array([0.1])).note
        assert test(np.zeros(6)).p == 1
    constant = t_test(np.full(5, 0.25) + 1e-16)
    assert constant.p is None
    assert "the same for every seed" in constant.note


def test_pairs_are_those_of_the_same_seed() -> None:
    np.testing.assert_allclose(paired({1: 0.5, 2: 0.6, 9: 0.1}, {2: 0.8, 1: 0.6, 7: 0.0}), [0.1, 0.2])


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, None, 0.6]) == [1.0, None, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_the_raw_p_and_bonferroni(p: list[float]) -> None:
    corrected = [value for value in holm(p) if value is not None]
    for raw, value in zip(p, corrected, strict=True):
        assert raw <= value <= min(1, raw * len(p)) + 1e-12
    assert [corrected[i] for i in np.argsort(p, kind="stable")] == sorted(corrected)
