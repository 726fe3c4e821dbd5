"""What a voice does with an emotion is what our own analysis of voices hears."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from sdt.encoders.audio_prosody import features
from sdt.puppets import deliveries
from sdt.puppets.deliveries import Delivery
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.speech import SOUNDS, sounds
from sdt.puppets.synthesis import RATE, STEP
from sdt.puppets.voice import Voice, duration, speak

WORDS = "I have been behind the curtain since noon."
VOICE = Voice(pitch=150)


def heard(delivery: Delivery, words: str = WORDS, takes: int = 2) -> dict[str, float]:
    """The mean of each measurement over some takes."""
    found = [features(speak(words, VOICE, delivery, np.random.default_rng(take)).samples) for take in range(takes)]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


@functools.cache
def felt(emotion: str, *, held: bool = False) -> dict[str, float]:
    """The same of an emotion in one of its forms."""
    return heard((deliveries.HELD if held else deliveries.OPEN)[emotion])


def test_both_tables_have_every_emotion() -> None:
    assert list(deliveries.OPEN) == list(deliveries.HELD) == list(EMOTIONS)


@pytest.mark.parametrize("emotion", ["joy", "surprise", "anger", "fear"])
def test_arousal_raises_pitch_and_level(emotion: str) -> None:
    assert felt(emotion)["pitch_mean"] > felt("neutral")["pitch_mean"] + 2.5
    assert felt(emotion)["level"] > felt("neutral")["level"] + 1.5
    assert felt(emotion)["pitch_mean"] > felt(emotion, held=True)["pitch_mean"] + 1.5, "the held form is the calmer one"


def test_joy_and_surprise_move_more_than_neutral() -> None:
    for emotion in ("joy", "surprise", "anger"):
        assert felt(emotion)["pitch_range"] > 1.3 * felt("neutral")["pitch_range"]
    assert felt("surprise")["pitch_final"] > felt("neutral")["pitch_final"] + 2, "it swoops up"


def test_quiet_sadness_is_low_slow_soft_and_lax() -> None:
    sad, neutral = felt("sadness", held=True), felt("neutral", held=True)
    assert sad["pitch_mean"] < neutral["pitch_mean"] - 1.5
    assert sad["level"] < neutral["level"] - 3
    assert sad["duration"] > neutral["duration"] + 0.1
    assert sad["tilt_mean"] > neutral["tilt_mean"] + 1.5
    assert sad["pitch_final"] < neutral["pitch_final"] - 0.5, "and falls"
    assert sad["hnr_mean"] < neutral["hnr_mean"] - 0.5, "with breath"


def test_anger_is_pressed_and_loud() -> None:
    for held in (False, True):
        angry, neutral = felt("anger", held=held), felt("neutral", held=held)
        assert angry["tilt_mean"] < neutral["tilt_mean"] - 1.5
        assert angry["alpha_ratio_mean"] < neutral["alpha_ratio_mean"] - 2, "more of it is above 1 kHz"
        assert angry["level"] > neutral["level"] + 2


def test_fear_trembles() -> None:
    for held in (False, True):
        table = deliveries.HELD if held else deliveries.OPEN
        calm = heard(dataclasses.replace(table["fear"], tremor=0.0), "aaaa aaaa")
        assert heard(table["fear"], "aaaa aaaa")["pitch_moves"] > 1.3 * calm["pitch_moves"]
        assert felt("fear", held=held)["shimmer"] > felt("neutral", held=held)["shimmer"]


def test_disgust_is_slow_and_creaks_at_its_end() -> None:
    for held in (False, True):
        disgusted, neutral = felt("disgust", held=held), felt("neutral", held=held)
        assert disgusted["duration"] > neutral["duration"] + 0.05
        assert disgusted["pitch_late"] < neutral["pitch_late"] - 1


@pytest.mark.parametrize("rate", [-0.5, 0.0, 0.5])
def test_rate_decides_how_long_a_sentence_takes(rate: float) -> None:
    delivery = Delivery(rate=rate)
    usual = duration(WORDS, VOICE, Delivery()) - 0.2
    assert duration(WORDS, VOICE, delivery) - 0.2 == pytest.approx(usual / 2**rate, abs=0.02)
    spoken = speak(WORDS, VOICE, delivery, np.random.default_rng(0))
    assert len(spoken.samples) / RATE == pytest.approx(duration(WORDS, VOICE, delivery))
    assert len(spoken.jaw) == len(spoken.rounded) == len(spoken.samples) // STEP


@pytest.mark.parametrize("pitch", [95.0, 150.0, 250.0])
def test_a_voice_has_its_own_pitch(pitch: float) -> None:
    low = features(speak(WORDS, Voice(pitch), Delivery(), np.random.default_rng(0)).samples)
    assert 12 * np.log2(pitch / 160) == pytest.approx(low["pitch_mean"], abs=1.5)


def test_the_mouth_is_open_where_it_is_loud() -> None:
    spoken = speak(WORDS, VOICE, Delivery(), np.random.default_rng(0))
    loud = np.sqrt(np.mean(spoken.samples.reshape(-1, STEP) ** 2, axis=1))
    assert np.corrcoef(spoken.jaw, loud)[0, 1] > 0.6
    assert spoken.jaw[[0, -1]].max() < 0.05, "closed before and after"
    assert speak("moo", VOICE, Delivery(), np.random.default_rng(0)).rounded.max() > 0.9


def test_the_same_chance_gives_the_same_samples() -> None:
    first, second, other = (speak(WORDS, VOICE, Delivery(), np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples, other.samples)
    assert np.abs(first.samples).max() < 0.9


@pytest.mark.parametrize("words", ["", "...", "?!", "M", "Hee hee, tickled!", "Rehearsal, at 4.30?"])
def test_anything_can_be_said(words: str) -> None:
    spoken = speak(words, VOICE, Delivery(creak=0.3, tremor=1.0), np.random.default_rng(0))
    assert np.isfinite(spoken.samples).all()
    assert spoken.samples.any()


def test_letters_become_sounds() -> None:
    assert sounds("Sheep, ") == [SOUNDS["sh"], SOUNDS["ee"], SOUNDS["p"], SOUNDS["burst"]]
    assert sounds("ill") == [SOUNDS["i"], SOUNDS["l"]]
    assert SOUNDS[","] in sounds("No, Olive.")
