"""The bootstrap over conversations: against a plain loop, and its error rates in simulation."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sdt.evaluation.bootstrap import (
    FEWEST_CONVERSATIONS,
    Resampling,
    interval,
    interval_values,
    resample,
    two_sided_p,
)
from sdt.evaluation.metrics import metrics
from sdt.evaluation.scores import score
from tests.evaluation.worlds import LABELS, World


def test_it_is_the_plain_loop() -> None:
    world = World(7, seed=1)
    systems = [world.system("a", 0.4, runs=2), world.system("b", 0.5)]
    drawn = resample([system.counts() for system in systems], Resampling(20, 5))
    chosen = np.random.default_rng(5).integers(7, size=(20, 7))
    for draw, conversations in enumerate(chosen):
        rows = np.concatenate([np.flatnonzero(world.conversation == number) for number in conversations])
        for index, system in enumerate(systems):
            scores = [score(world.true[rows], run[rows], LABELS) for run in system.predicted]
            for column, name in enumerate(metrics()):
                mean = np.mean([getattr(of, name) for of in scores])
                assert drawn[index, draw, column] == pytest.approx(mean, abs=1e-12)
            mean = np.mean([of.classes["glad"].f1 for of in scores])
            assert drawn[index, draw, 3 + LABELS.index("glad")] == pytest.approx(mean, abs=1e-12)


def test_the_number_of_draws_only_adds() -> None:
    """Draws are made in pieces, which must not show."""
    counts = [World(9, seed=2).system("a", 0.5).counts()]
    few, many = (resample(counts, Resampling(draws, 3)) for draws in (510, 1200))
    np.testing.assert_array_equal(few, many[:, :510])


def test_other_seeds_draw_others() -> None:
    counts = [World(9, seed=2).system("a", 0.5).counts()]
    one, other = (resample(counts, Resampling(50, seed)) for seed in (1, 2))
    assert not np.allclose(one, other)


def test_ten_thousand_draws_of_ten_runs_take_about_a_second() -> None:
    world = World(280, seed=4)
    counts = [world.system(name, 0.6, runs=10).counts() for name in "ab"]
    began = time.process_time()
    resample(counts, Resampling(10_000))
    assert time.process_time() - began < 5  # on a busy machine


@pytest.mark.parametrize(("conversations", "runs"), [(60, 1), (60, 3)])
def test_false_findings_are_as_frequent_as_they_may_be(conversations: int, runs: int) -> None:
    """Two systems that are equally good on the average differ "significantly" in about 5 of 100 test sets."""
    found = 0
    for seed in range(200):
        world = World(conversations, seed)
        one, other = resample([world.system(name, 0.5, runs).counts() for name in "ab"], Resampling(200, seed))
        p = two_sided_p((other - one)[:, list(metrics()).index("weighted_f1")], conversations)
        assert p is not None
        found += p < 0.05
    assert 2 <= found <= 20  # 10 expected; outside with a probability below 1 %


def test_intervals_cover_the_truth() -> None:
    """A difference of 10 points of accuracy lies within about 95 of 100 intervals, and 0 in few of them."""
    inside = outside_zero = 0
    for seed in range(150):
        world = World(80, seed)
        one, other = resample([world.system(*of).counts() for of in (("a", 0.4), ("b", 0.5))], Resampling(200, seed))
        low, high, _ = interval((other - one)[:, 0], 0.95, 80)
        # Where a system is wrong it guesses right with the probability of the class: sum of the squared prior.
        truth = 0.1 * (1 - 0.345)
        inside += low <= truth <= high
        outside_zero += low > 0
    assert 134 <= inside <= 149
    assert outside_zero > 75


def test_p_is_the_other_side_of_the_interval() -> None:
    rng = np.random.default_rng(0)
    for shift in np.linspace(-3, 3, 41):
        differences = rng.normal(shift, 1, size=1999)
        low, high, note = interval(differences, 0.95, 30)
        p = two_sided_p(differences, 30)
        assert note == ""
        assert p is not None
        if not 0.045 < p < 0.055:
            assert (p < 0.05) == (low > 0 or high < 0)


def test_p_of_no_difference_is_one_and_never_zero() -> None:
    assert two_sided_p(np.zeros(100), 30) == 1
    assert two_sided_p(np.linspace(0.1, 0.2, 99), 30) == pytest.approx(2 / 100)
    assert two_sided_p(np.array([1e-16, -1e-17]), 30) == 1  # rounding is no difference
    assert two_sided_p(np.full(99, 0.1), 30) is None


@pytest.mark.parametrize("drawn", [[np.nan, 1.0, 1.0], [0.4] * 50, [np.nan], []])
def test_draws_without_spread_are_no_interval(drawn: list[float]) -> None:
    found = interval(np.array(drawn), 0.95, 50)
    assert np.isnan([found.low, found.high]).all()
    assert interval_values(*found) == {"interval": None, "no_interval": found.note}


@pytest.mark.parametrize("conversations", [0, 1, 5])
def test_few_conversations_have_no_interval_and_no_p(conversations: int) -> None:
    drawn = np.random.default_rng(0).normal(1, 0.1, size=500)
    found = interval(drawn, 0.95, conversations)
    assert np.isnan([found.low, found.high]).all()
    assert found.note
    assert two_sided_p(drawn, conversations) is None
    assert interval_values(*interval(drawn, 0.95, FEWEST_CONVERSATIONS)).keys() == {"interval"}
