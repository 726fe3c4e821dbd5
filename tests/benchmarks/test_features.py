from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import features
from sdt.errors import InputError, MissingDependencyError

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_text_and_media_encoders_are_timed(tmp_path: Path) -> None:
    clips = features.generate_clips(tmp_path, 2, seed=0, height=240, width=320)
    texts = features.generate_texts(9, seed=0)
    assert len(set(texts)) > 5
    words = features.measure("words:16", texts, clips, threads=1, repeats=2)
    assert (words.width, words.utterances, words.media_seconds, len(words.speed)) == (16, 9, 0, 2)
    for name in ("prosody", "faces"):
        rate = features.measure(name, texts, clips, threads=1, repeats=1)
        assert (rate.utterances, len(rate.speed)) == (2, 1)
        assert 4 < rate.media_seconds < 6


def test_missing_dependencies_are_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(_: str) -> None:
        raise MissingDependencyError("praat needs an extra")

    monkeypatch.setattr(features, "feature_encoder", missing)
    rate = features.measure("praat", [], [], threads=1, repeats=1)
    assert rate.problem == "praat needs an extra"
    features.show([rate], "")
    assert "not installed" in capsys.readouterr().out


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'prosody'"):
        features.measure("prosodie", [], [], threads=1, repeats=1)


def test_unknown_encoders_are_refused_before_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "generate_clips", None)
    monkeypatch.setattr(sys, "argv", ["features.py", "--encoder", "prosodie"])
    with pytest.raises(InputError, match="did you mean 'prosody'"):
        features.main()


def test_missing_features_invalidate_the_measurement(tmp_path: Path) -> None:
    (tmp_path / "c_0.mp4").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="c/0"):
        features.measure("prosody", [], [(tmp_path / "c_0.mp4", 2.0)], threads=1, repeats=1)
