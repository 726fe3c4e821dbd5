"""Warming up the encoders of a decoding process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from sdt.encoders.encoder import Encoded
from sdt.prediction.extraction import ModalityExtractor
from sdt.serving.decoder_worker import _load
from tests.prediction.models import TEXT_AUDIO, tiny_model


def test_warming_up_leaves_nothing_even_when_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, seen = ModalityExtractor.extract, []

    def watched(self: ModalityExtractor, *arguments: Any) -> Encoded:
        made = make(self, *arguments)
        seen.append((made.present.tolist(), made.problems, list(tmp_path.rglob("*"))))
        return made

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ModalityExtractor, "extract", watched)
    makers, report = _load(tiny_model(TEXT_AUDIO).config, tmp_path)
    assert list(makers) == ["audio"]
    assert report == {"audio": {"note": None}}
    assert [(len(present), files) for present, _, files in seen] == [(1, [])]
