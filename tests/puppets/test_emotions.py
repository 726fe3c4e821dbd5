from __future__ import annotations

import numpy as np

from sdt.puppets.emotions import EMOTIONS, MOOD, REACTION, Temperament, next_emotion

EVEN = (0.0,) * len(EMOTIONS)


def shares(temperament: Temperament, own: int | None, witnessed: int | None, draws: int = 1000) -> list[float]:
    random = np.random.default_rng(0)
    drawn = [next_emotion(random, temperament, own, witnessed) for _ in range(draws)]
    return [drawn.count(emotion) / draws for emotion in range(len(EMOTIONS))]


def test_the_tables_cover_every_emotion() -> None:
    assert MOOD.shape == (len(EMOTIONS),)
    assert REACTION.shape == (len(EMOTIONS), len(EMOTIONS))


def test_nothing_pulls_but_the_mood() -> None:
    found = shares(Temperament(EVEN, inertia=3.0, contagion=1.0), None, None)
    expected = np.exp(MOOD) / np.exp(MOOD).sum()
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_puppet_stays_in_its_emotion() -> None:
    for emotion in range(len(EMOTIONS)):
        calm = shares(Temperament(EVEN, inertia=0.0, contagion=0.0), emotion, None)
        stubborn = shares(Temperament(EVEN, inertia=3.0, contagion=0.0), emotion, None)
        assert stubborn[emotion] > calm[emotion] + 0.2


def test_anger_provokes_anger_or_fear_and_joy_spreads() -> None:
    anger, fear, joy = (EMOTIONS.index(name) for name in ("anger", "fear", "joy"))
    alone = shares(Temperament(EVEN, inertia=0.0, contagion=1.0), None, None)
    angry = shares(Temperament(EVEN, inertia=0.0, contagion=1.0), None, anger)
    merry = shares(Temperament(EVEN, inertia=0.0, contagion=1.0), None, joy)
    assert angry[anger] > 1.5 * alone[anger]
    assert angry[fear] > 1.5 * alone[fear]
    assert merry[joy] > 1.5 * alone[joy]


def test_drawing_changes_no_table() -> None:
    before = MOOD.copy()
    next_emotion(np.random.default_rng(0), Temperament.draw(np.random.default_rng(1)), 0, 1)
    np.testing.assert_array_equal(MOOD, before)
