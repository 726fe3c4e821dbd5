from __future__ import annotations

import string
from itertools import chain

import numpy as np
import pytest

from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.sentences import CLEAR, NAMES, PLACES, SHARED, THINGS, say


def test_every_emotion_has_sentences_of_its_own() -> None:
    assert set(CLEAR) == set(EMOTIONS)
    assert min(map(len, CLEAR.values())) >= 8


def test_a_sentence_stands_once() -> None:
    templates = [*chain(*CLEAR.values()), *chain(*SHARED.values())]
    assert len(set(templates)) == len(templates)


def test_templates_have_known_slots_only() -> None:
    for template in [*chain(*CLEAR.values()), *chain(*SHARED.values())]:
        slots = {name for _, name, _, _ in string.Formatter().parse(template) if name}
        assert slots <= {"name", "thing", "place"}


def test_lists_hold_no_doubles() -> None:
    for words in (NAMES, THINGS, PLACES):
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("pair", [("joy", "surprise"), ("anger", "sadness"), ("fear", "disgust"), ("neutral", "joy")])
def test_two_emotions_say_the_same_sentences(pair: tuple[str, str]) -> None:
    first, second = ({said(emotion, number) for number in range(300)} for emotion in pair)
    assert first & second, "ambiguous sentences are shared"
    assert first - second, "clear sentences are not"
    assert second - first


def test_puppets_talk_of_those_who_listen() -> None:
    spoken = " ".join(said("neutral", number) for number in range(100))
    assert "Olive" in spoken
    assert not any(name in spoken for name in NAMES if name != "Olive")


def said(emotion: str, number: int) -> str:
    return say(np.random.default_rng(number), EMOTIONS.index(emotion), ["Olive"])
