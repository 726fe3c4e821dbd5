"""Intensity, harmonicity and syllables: what their definitions say of sounds whose values are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sdt.encoders.audio_measures import (
    count_syllables,
    frame_times,
    harmonicity,
    intensity,
    speech_intervals,
    syllable_peaks,
)
from tests.encoders.voices import RATE, syllables, vowel

Samples = npt.NDArray[np.float64]


def harmonics(hertz: float, seconds: float = 1.0) -> Samples:
    """A buzz [n] of mean square 1, without noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    buzz = sum((np.cos(2 * np.pi * hertz * k * times + k * k) for k in range(1, 11)), start=np.zeros(len(times)))
    return np.asarray(buzz / np.sqrt(np.mean(buzz**2)))


def test_frames_are_symmetric_and_fit_into_the_sound() -> None:
    times = frame_times(16160, RATE, 0.04, 0.01)
    assert len(times) == 98
    assert times[0] >= 0.02
    np.testing.assert_allclose(times + times[::-1], 1.01)
    np.testing.assert_allclose(np.diff(times), 0.01)


@pytest.mark.parametrize("amplitude", [1.0, 0.01])
def test_a_steady_tone_has_the_level_of_its_mean_square(amplitude: float) -> None:
    tone = amplitude * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE) + 0.3
    level, times = intensity(tone, RATE, 100)
    assert len(level) == len(times) == 117
    # 20 micropascal are 0 dB; the constant 0.3 is no sound.
    np.testing.assert_allclose(level, 10 * np.log10(amplitude**2 / 2 / 4e-10), atol=0.01)


def test_silence_has_a_level_too() -> None:
    level, _ = intensity(np.zeros(RATE), RATE, 50)
    np.testing.assert_allclose(level, -300)


@pytest.mark.parametrize("hertz", [90.0, 151.0, 300.0])
@pytest.mark.parametrize("ratio", [0.0, 10.0, 20.0])
def test_harmonicity_is_the_ratio_of_harmonics_to_noise(hertz: float, ratio: float) -> None:
    """Noise of a tenth of the power is 10 dB (Boersma 1993, eq. 4), but for the bias of taking the highest peak."""
    noise = np.random.default_rng(0).normal(size=RATE) * 10 ** (-ratio / 20)
    found = harmonicity(harmonics(hertz) + noise, RATE, 75)
    assert len(found) == 98
    assert found.mean() == pytest.approx(ratio, abs=1.5)


def test_frames_of_silence_have_no_harmonicity() -> None:
    assert not harmonicity(np.zeros(RATE), RATE, 75).size
    quiet = np.concatenate([harmonics(150, 0.5), 1e-3 * harmonics(150, 0.5)])
    assert 45 <= len(harmonicity(quiet, RATE, 75)) <= 51


def test_peaks_count_where_a_dip_of_two_decibels_follows() -> None:
    level = np.array([50, 60, 55, 61, 59.5, 62, 50, 30, 40, 35, 30.0])
    assert syllable_peaks(level, 45) == [1]  # 3 falls by 1.5 only, nothing follows 5, 8 is below the threshold
    assert syllable_peaks(level, 20) == [1, 5]


def test_bursts_and_short_silences_are_passed_over() -> None:
    times = np.arange(100, dtype=np.float64) * 0.016
    level = np.full(100, 20.0)
    level[:20] = level[25:50] = level[95:] = 60  # a closure of 80 ms, a pause of 720 ms, a knock of 80 ms
    ((start, end),) = speech_intervals(level, times, 1.6, 40)
    assert start == 0
    assert end == pytest.approx(0.8)
    assert speech_intervals(np.full(100, 20.0), times, 1.6, 40) == []
    assert speech_intervals(np.full(100, 60.0), times, 1.6, 40) == [(0, 1.6)]


@pytest.mark.parametrize("count", [3, 6, 12])
def test_syllables_are_counted(count: int) -> None:
    silence = np.random.default_rng(0).normal(size=RATE // 2) * 1e-5
    sound = np.concatenate([silence, syllables(count), silence]).astype(np.float64)
    found, seconds = count_syllables(sound, RATE)
    assert found in (count - 1, count)  # the last one counts where another peak, be it of noise, follows its dip
    assert seconds == pytest.approx(count * 0.25 - 0.1, abs=0.05)


def test_what_has_no_voice_is_no_syllable() -> None:
    whispered = syllables(6) / 0.1 * np.random.default_rng(0).normal(size=len(syllables(6))) * 0.1
    assert count_syllables(whispered.astype(np.float64), RATE)[0] == 0
    assert count_syllables(vowel(1.0).astype(np.float64), RATE)[0] == 0
