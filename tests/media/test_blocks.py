"""The sound of long recordings in blocks."""

from __future__ import annotations

import tracemalloc
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sdt.media import blocks as module
from sdt.media.audio import Audio, decode_audio
from sdt.media.blocks import audio_blocks
from sdt.media.clip import Clip, MediaProblem
from tests.encoders.clips import RATE, noise, numbered, write_clip


def frame(time: float, layout: str = "mono") -> av.AudioFrame:
    """A tenth of a second of sound at a time."""
    samples = np.full((2 if layout == "stereo" else 1, 1600), 0.1, np.float32)
    made = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    made.sample_rate, made.pts, made.time_base = RATE, round(time * RATE), Fraction(1, RATE)
    return made


def joined(blocks: list[Audio]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks], axis=1)


@pytest.mark.parametrize("seconds", [0.1, 0.7, 1.0, 2.5, 60.0])
@pytest.mark.parametrize(("kind", "channels"), [(".wav", 1), (".flac", 2)])
def test_blocks_are_the_recording_in_pieces(tmp_path: Path, kind: str, channels: int, seconds: float) -> None:
    sound = noise(2.5, channels=channels)
    path = write_clip(tmp_path / f"a{kind}", sound)
    found = list(audio_blocks(path, seconds))
    sizes = [block.samples.shape[1] for block in found]
    assert all(size == round(seconds * RATE) for size in sizes[:-1])
    assert 0 < sizes[-1] <= round(seconds * RATE)
    np.testing.assert_array_equal(joined(found), decode_audio(Clip(path)).samples)
    assert {(block.rate, len(block.channels)) for block in found} == {(RATE, channels)}


@pytest.mark.parametrize("kind", [".mp3", ".opus", ".mp4", ".webm"])
def test_lossy_files_last_as_long_as_in_one_piece(tmp_path: Path, kind: str) -> None:
    path = write_clip(tmp_path / f"a{kind}", noise(3, 48000), rate=48000)
    whole = decode_audio(Clip(path))
    assert joined(list(audio_blocks(path, 0.4))).shape[1] == pytest.approx(whole.samples.shape[1], abs=4800)


def test_a_late_start_of_the_sound_is_silent(tmp_path: Path) -> None:
    sound = noise(1, 48000)
    path = write_clip(tmp_path / "a.mkv", sound, rate=48000, pictures=numbered(50), sound_starts=0.8)
    found = joined(list(audio_blocks(path, 0.3)))
    assert found.shape[1] / 48000 == pytest.approx(1.8, abs=0.05)
    assert not found[:, : round(0.75 * 48000)].any()
    assert found[:, round(0.9 * 48000) :].any()


def test_a_long_gap_takes_no_more_memory_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "packets", lambda *_: iter(()))
    frames = [frame(0.0), frame(3000.0)]
    monkeypatch.setattr(module, "frames", lambda _: iter(frames))
    path = write_clip(tmp_path / "a.wav", noise(0.1))
    tracemalloc.start()
    try:
        size = sum(block.samples.shape[1] for block in audio_blocks(path, 10.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 3000 * RATE + 1600
    assert peak < 4 * 10 * RATE * 4


def test_time_stamps_that_jump_far_are_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "packets", lambda *_: iter(()))
    path = write_clip(tmp_path / "a.wav", noise(0.1))
    monkeypatch.setattr(module, "frames", lambda _: iter([frame(0.0), frame(1e7), frame(0.2)]))
    assert sum(block.samples.shape[1] for block in audio_blocks(path, 10.0)) == 3 * 1600


def test_a_recording_of_days_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes with time stamps of years would otherwise be read for hours."""
    monkeypatch.setattr(module, "packets", lambda *_: iter(()))
    monkeypatch.setattr(module, "LONGEST", 5000.0)
    path = write_clip(tmp_path / "a.wav", noise(0.1))
    monkeypatch.setattr(module, "frames", lambda _: (frame(3000.0 * n) for n in range(10**6)))
    with pytest.raises(MediaProblem, match="longer than"):
        list(audio_blocks(path, 10.0))


def test_a_change_of_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "packets", lambda *_: iter(()))
    monkeypatch.setattr(module, "frames", lambda _: iter([frame(0.0), frame(0.1, "stereo")]))
    with pytest.raises(MediaProblem, match="format"):
        list(audio_blocks(write_clip(tmp_path / "a.wav", noise(0.1)), 1.0))


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaProblem, match="no audio track"):
        next(audio_blocks(write_clip(tmp_path / "film.mp4", pictures=numbered(5)), 1.0))
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
    with pytest.raises(MediaProblem):
        list(audio_blocks(tmp_path / "empty.wav", 1.0))
    (tmp_path / "text.wav").write_text("RIFF, but no more")
    with pytest.raises(MediaProblem):
        list(audio_blocks(tmp_path / "text.wav", 1.0))
    with pytest.raises(MediaProblem, match="file not found"):
        list(audio_blocks(tmp_path / "missing.wav", 1.0))


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.wav", noise(4))
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = joined(list(audio_blocks(cut, 0.5)))
    assert found.shape[1] / RATE == pytest.approx(2, abs=0.1)
    np.testing.assert_array_equal(found, decode_audio(Clip(whole)).samples[:, : found.shape[1]])
