from __future__ import annotations

import itertools
from typing import Literal

import pytest

from sdt.training.optimizer import learning_rate
from sdt.training.settings import Training


def rates(schedule: Literal["constant", "linear", "cosine"], warmup: float = 0.0, steps: int = 10) -> list[float]:
    training = Training(learning_rate=2.0, schedule=schedule, warmup=warmup)
    return [learning_rate(training, step, steps) for step in range(steps)]


def test_the_values() -> None:
    assert rates("constant") == [2.0] * 10
    assert rates("linear", steps=4) == [2.0, 1.5, 1.0, 0.5]
    assert rates("cosine", steps=4) == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5])


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_warm_up_rises_in_equal_parts_to_the_height(schedule: Literal["constant", "linear", "cosine"]) -> None:
    found = rates(schedule, warmup=0.3)
    assert found[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert all(earlier >= later > 0 for earlier, later in itertools.pairwise(found[3:]))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_short_run_has_a_rate_at_every_step(
    schedule: Literal["constant", "linear", "cosine"], warmup: float, steps: int
) -> None:
    assert all(0 < rate <= 2.0 for rate in rates(schedule, warmup, steps))
