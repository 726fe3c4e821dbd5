"""Praat's measurements: against the tables that go round for MELD, on the seven clips there are."""

from __future__ import annotations

import numpy as np
import pytest

from sdt.encoders.audio_voice8 import NAMES, Praat
from sdt.media.audio import Audio
from sdt.media.clip import MediaProblem
from tests.encoders.meld_clips import AGREEMENT, differences, real_clip, table_row
from tests.encoders.voices import RATE, syllables, vowel
from tests.shared import needs_meld


def audio(samples: np.ndarray) -> Audio:
    return Audio(samples[None].astype(np.float32), RATE)


@needs_meld
def test_the_tables_are_met_on_the_real_clips() -> None:
    found = differences(Praat().measure)
    for feature, limit in AGREEMENT.items():
        assert np.abs(found[feature]).max() < limit, feature
    # All but one noisy clip (utterance 4) are much nearer.
    assert np.sort(np.abs(found["avg_pitch"]))[-2] < 4.3
    # The table has no articulation rate for utterance 5; nor is a syllable found here.
    assert table_row(5)["articulation_rate"] == ""
    with pytest.raises(MediaProblem, match="no syllable found"):
        Praat().measure(real_clip(5))


def test_a_known_voice_is_measured() -> None:
    found = Praat().measure(audio(syllables(6, hertz=(150,))))
    assert tuple(found) == NAMES
    assert found["duration"] == pytest.approx(1.5, abs=0.01)
    assert found["avg_pitch"] == pytest.approx(150, rel=0.02)
    assert found["articulation_rate"] == pytest.approx(4, abs=1.5)


def test_gain_moves_the_intensity_only() -> None:
    sound = syllables(6, hertz=(150, 180))
    loud, quiet = (Praat().measure(audio(sound * gain)) for gain in (1.0, 0.1))
    assert loud["avg_intensity"] - quiet["avg_intensity"] == pytest.approx(20, abs=0.05)
    for name in set(NAMES) - {"avg_intensity"}:
        assert loud[name] == pytest.approx(quiet[name], rel=1e-3), name


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(RATE), "no voice found"),
        (np.random.default_rng(0).normal(size=RATE) * 1e-3, "no voice found|no syllable found"),
        (vowel(1.0), "no syllable found"),
        (vowel(0.1), "shorter than"),
    ],
)
def test_what_has_no_voice_is_a_media_problem(samples: np.ndarray, problem: str) -> None:
    with pytest.raises(MediaProblem, match=problem):
        Praat().measure(audio(samples))
