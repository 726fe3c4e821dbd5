"""Conversations with recordings, as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.prediction import pipeline
from tests.prediction.models import TEXT_AUDIO, tiny_model

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and, in `talks`, five conversations, which are five batches.

    One has no recording, and that of another is broken.
    """
    pytest.importorskip("av")
    from tests.encoders.clips import noise, write_clip

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "UTTERANCES", 8)
    tiny_model(TEXT_AUDIO).save_pretrained(tmp_path / "model")
    (tmp_path / "talks").mkdir()
    for number, name in enumerate(NAMES):
        lines = [
            json.dumps({"speaker": "AB"[i % 2], "text": f"{name} says {i}!", "start": 0.3 * i, "end": 0.3 * i + 0.3})
            for i in range(4 + number)
        ]
        (tmp_path / "talks" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if name != "c":
            write_clip(tmp_path / "talks" / f"{name}.wav", noise(2.5, seed=number))
    (tmp_path / "talks" / "d.wav").write_bytes(b"RIFF, but no more")
    return tmp_path
