"""Puppets differ from one another, and each is one in both what it says and what it shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sdt.puppets import cast, deliveries, expressions
from sdt.puppets.cast import Puppet, draw_around_zero, weighted_sum
from sdt.puppets.deliveries import Delivery
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.expressions import Expression


def test_controls_are_added_and_scaled() -> None:
    both = weighted_sum((1, Delivery(pitch=2, level=1)), (0.5, Delivery(pitch=4, tremor=1)))
    assert both == Delivery(pitch=4, level=1, tremor=0.5)
    drawn = [draw_around_zero(Delivery(pitch=2), np.random.default_rng(seed)) for seed in range(200)]
    assert np.std([one.pitch for one in drawn]) == pytest.approx(2, rel=0.2)
    assert {one.level for one in drawn} == {0.0}


def test_puppets_are_of_both_kinds_and_all_different() -> None:
    random = np.random.default_rng(0)
    puppets = [Puppet.draw(random, "x") for _ in range(40)]
    assert 10 < sum(puppet.outgoing for puppet in puppets) < 30
    assert len({puppet.look for puppet in puppets}) == len({puppet.voice for puppet in puppets}) == 40
    assert {puppet.look.style for puppet in puppets} == {0, 1, 2, 3}


@pytest.mark.parametrize("outgoing", [True, False])
@pytest.mark.parametrize("emotion", range(len(EMOTIONS)))
def test_what_is_shown_is_the_emotion_around_what_is_always_shown(emotion: int, outgoing: bool) -> None:
    random = np.random.default_rng(1)
    puppet = dataclasses.replace(Puppet.draw(random, "x"), outgoing=outgoing, expressiveness=1.0)
    strength = float(np.mean(cast.STRENGTH))
    said = [puppet.draw_delivery(random, emotion) for _ in range(300)]
    table = deliveries.OPEN if outgoing else deliveries.HELD
    for name in ("pitch", "level", "rate"):
        expected = getattr(puppet.tone, name) + strength * getattr(table[EMOTIONS[emotion]], name)
        deviation = getattr(cast.MOMENT, name) + abs(expected)
        assert np.mean([getattr(one, name) for one in said]) == pytest.approx(expected, abs=0.25 * deviation)


def test_a_face_never_leaves_its_limits() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        shown = Puppet.draw(random, "x").draw_expression(random, int(random.integers(len(EMOTIONS))))
        assert shown == shown.clipped()
    assert expressions.OPEN["sadness"].clipped() == expressions.OPEN["sadness"]
    assert Expression().clipped() == Expression()
