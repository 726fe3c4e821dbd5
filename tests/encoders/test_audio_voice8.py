"""`voice8`: against Praat on synthetic voices, against the tables that go round for MELD on the clips there are."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.encoders.audio_voice8 import NAMES, Praat, Voice8, measure
from sdt.encoders.encoder import Source
from sdt.media.audio import Audio
from sdt.media.clip import Clip, MediaProblem
from tests.encoders.clips import write_clip
from tests.encoders.meld_clips import AGREEMENT, differences, real_clip, table_row
from tests.encoders.voices import RATE, syllables, vowel
from tests.shared import needs_meld

NEAR = {
    "duration": 0.0,
    "avg_intensity": 0.01,
    "intensity_variation": 0.02,
    "avg_pitch": 0.5,
    "pitch_std": 0.5,
    "pitch_range": 0.5,
    "articulation_rate": 0.001,
    "mean_hnr": 0.5,
}
"""How far from Praat's values those of a voice may lie; Hz, dB and so on."""


def audio(samples: np.ndarray) -> Audio:
    return Audio(samples[None].astype(np.float32), RATE)


def babble(seed: int) -> Audio:
    """Syllables of any length, pitch, glide, breath, tremor and loudness, with silences of any length between."""
    random = np.random.default_rng(seed)
    parts = []
    for k in range(int(random.integers(3, 9))):
        glide = (float(random.uniform(85, 420)), float(random.uniform(85, 420)))
        sound = vowel(
            float(random.uniform(0.08, 0.5)),
            glide,
            breath=float(10 ** random.uniform(-2, 0)),
            jitter=float(random.uniform(0, 0.03)),
            level=float(10 ** random.uniform(-2, -0.5)),
            seed=k,
        )
        silence = random.normal(size=int(random.uniform(0.02, 0.5) * RATE)) * 10 ** random.uniform(-4.5, -3)
        parts += [sound * np.hanning(len(sound) + 2)[1:-1], silence]
    return audio(np.concatenate(parts))


def test_praat_measures_the_same_of_synthetic_voices() -> None:
    apart = []
    praat = Praat()
    for seed in range(30):
        sound = babble(seed)
        try:
            expected = praat.measure(sound)
        except MediaProblem as problem:
            with pytest.raises(MediaProblem, match=problem.reason):
                measure(sound)
            continue
        found = measure(sound)
        assert tuple(found) == NAMES == tuple(expected)
        apart.append([abs(found[name] - expected[name]) for name in NAMES])
    assert len(apart) > 25
    for name, values in zip(NAMES, np.sort(apart, axis=0).T, strict=True):
        assert np.median(values) <= NEAR[name] / 2, name
        # A frame more or less that counts as voiced moves the pitch of a short voice by more.
        assert values[-4 if "pitch" in name else -1] <= NEAR[name], name


@needs_meld
def test_praat_measures_the_same_of_the_real_clips() -> None:
    praat = Praat()
    for utterance in (0, 1, 2, 3, 4, 8):
        sound = real_clip(utterance)
        assert measure(sound) == {
            name: pytest.approx(value, abs=max(NEAR[name], 1e-9)) for name, value in praat.measure(sound).items()
        }


@needs_meld
def test_the_tables_are_met_on_the_real_clips() -> None:
    found = differences(measure)
    for feature, limit in AGREEMENT.items():
        assert np.abs(found[feature]).max() < limit, feature
    assert np.sort(np.abs(found["avg_pitch"]))[-2] < 4.3
    assert table_row(5)["articulation_rate"] == ""
    with pytest.raises(MediaProblem, match="no syllable found"):
        measure(real_clip(5))


def test_a_known_voice_is_measured() -> None:
    found = measure(audio(syllables(6, hertz=(150, 180))))
    assert found["duration"] == pytest.approx(1.5, abs=0.01)
    assert found["avg_pitch"] == pytest.approx(165, rel=0.01)
    assert found["pitch_std"] == pytest.approx(15, abs=0.5)
    assert found["pitch_range"] == pytest.approx(30, abs=1)
    assert found["articulation_rate"] == pytest.approx(4, abs=1.5)
    assert found["mean_hnr"] > 20


def test_gain_moves_the_intensity_only() -> None:
    sound = syllables(6, hertz=(150, 180))
    loud, quiet = (measure(audio(sound * gain)) for gain in (1.0, 0.1))
    assert loud["avg_intensity"] - quiet["avg_intensity"] == pytest.approx(20, abs=0.05)
    for name in set(NAMES) - {"avg_intensity"}:
        assert loud[name] == pytest.approx(quiet[name], rel=1e-3), name


def test_rate_and_channels_of_the_file_hardly_matter(tmp_path: Path) -> None:
    sound = syllables(6, hertz=(150, 180))
    expected = measure(audio(sound))
    from scipy.signal import resample_poly

    wide = resample_poly(sound, 3, 1)
    found = measure(Audio(np.stack([wide, 0.5 * wide]).astype(np.float32), 3 * RATE))
    gain = 20 * np.log10(0.75)
    assert found["avg_intensity"] == pytest.approx(expected["avg_intensity"] + gain, abs=0.1)
    for name in ("duration", "avg_pitch", "pitch_std", "articulation_rate"):
        assert found[name] == pytest.approx(expected[name], rel=5e-3), name


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(RATE), "no voice found"),
        (np.full(RATE, np.nan), "no voice found"),
        (np.eye(1, RATE, 8000)[0], "no voice found"),
        (np.random.default_rng(0).normal(size=RATE) * 1e-3, "no voice found|no syllable found"),
        (vowel(1.0), "no syllable found"),
        (vowel(0.16), "no syllable found"),
        (vowel(0.1), "shorter than"),
    ],
)
def test_what_has_no_voice_is_a_media_problem(samples: np.ndarray, problem: str) -> None:
    with pytest.raises(MediaProblem, match=problem):
        measure(audio(samples))


def test_files_are_encoded_each_for_itself(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", syllables(4)[None], rate=RATE)
    write_clip(tmp_path / "b.flac", syllables(6, hertz=(210,))[None], rate=RATE)
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    sources = [Source("c", Utterance(name, "x"), Clip(tmp_path / name)) for name in ("a.wav", "b.flac", "c.wav")]
    encoded = Voice8().encode(sources)
    assert encoded.features.dtype == np.float32
    assert encoded.present.tolist() == [True, True, False]
    assert encoded.problems[0].startswith("c/c.wav: corrupt")
    np.testing.assert_array_equal(encoded.features[:2][::-1], Voice8().encode(sources[1::-1]).features)


def test_it_needs_nothing_of_praat() -> None:
    code = (
        "import sys; sys.modules['parselmouth'] = None\n"
        "from sdt.encoders.encoder import feature_encoder\n"
        "assert feature_encoder('voice8').width == 8\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_fast() -> None:
    sound = audio(np.tile(syllables(8), 8))
    measure(sound)
    begun = time.process_time()
    measure(sound)
    assert sound.seconds / (time.process_time() - begun) > 20  # 90 on an idle core; other tests may be running
