"""Recordings that any player opens."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import av
import pytest

from sdt.errors import MissingDependencyError
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.media.video import decode_frames
from sdt.puppets.generate import Recording, Scene, generate
from sdt.puppets.record import file_name, pyav, record
from sdt.puppets.stage import PER_SECOND, SIDE, sound, speeches
from sdt.puppets.synthesis import RATE


@pytest.fixture(scope="module")
def scene() -> Scene:
    scene = min(generate(0, 12), key=lambda one: one.seconds)
    return dataclasses.replace(scene, lines=tuple(dataclasses.replace(line, muted=False) for line in scene.lines))


@pytest.mark.parametrize(
    ("kind", "suffix", "tracks"),
    [("film", ".mp4", {"audio", "video"}), ("sound", ".wav", {"audio"}), ("silent film", ".mp4", {"video"})],
)
def test_a_recording_has_its_tracks_and_its_length(
    scene: Scene, kind: Recording, suffix: str, tracks: set[str], tmp_path: Path
) -> None:
    scene = dataclasses.replace(scene, recording=kind)
    path = tmp_path / file_name(scene)
    assert path.suffix == suffix
    record(scene, path)
    with av.open(str(path)) as container:
        assert {stream.type for stream in container.streams} == tracks
        assert container.duration is not None
        assert container.duration / 1_000_000 == pytest.approx(scene.seconds, abs=0.15)
    if "audio" in tracks:
        heard = decode_audio(Clip(path))
        assert heard.rate == RATE
        assert heard.seconds == pytest.approx(scene.seconds, abs=0.1)
    else:
        with pytest.raises(MediaProblem, match="no audio track"):
            decode_audio(Clip(path))
    if "video" in tracks:
        pictures = list(decode_frames(Clip(path), 60))
        assert len(pictures) == int(scene.seconds * PER_SECOND)
        assert pictures[0][1].shape == (SIDE, SIDE, 3)
    else:
        with pytest.raises(MediaProblem, match="no video track"):
            next(decode_frames(Clip(path), 4))


def test_sound_lies_where_the_transcript_says(scene: Scene, tmp_path: Path) -> None:
    scene = dataclasses.replace(scene, recording="film")
    record(scene, tmp_path / "a.mp4")
    original = sound(scene, speeches(scene))
    said = scene.conversation.utterances[-1]
    assert said.start is not None
    assert said.end is not None
    cut = decode_audio(Clip(tmp_path / "a.mp4", said.start, said.end)).mono()
    kept = original[round(said.start * RATE) : round(said.start * RATE) + len(cut)]
    assert float(cut @ kept) ** 2 > 0.8 * float(cut @ cut) * float(kept @ kept)


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[media\]"):
        pyav()
