"""Decoding and cutting: every kind of file, exact places, and nothing but `MediaProblem` for whatever is broken."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sdt.media import clip as media
from sdt.media import video as media_video
from sdt.media.audio import LONGEST, Audio, decode_audio
from sdt.media.clip import Clip, MediaProblem, container_seconds
from sdt.media.video import decode_frames
from tests.encoders.clips import RATE, noise, number_of, numbered, tone, write_clip
from tests.shared import FAULTS, SHARED_DATA, needs_faults

needs_clips = pytest.mark.skipif(
    SHARED_DATA is None or not (SHARED_DATA / "media").is_dir(),
    reason="needs the real clips: set SDT_SHARED_DATA to the folder that holds media/",
)
LOSSLESS = [".wav", ".flac", ".avi"]
KINDS = [".wav", ".flac", ".mp3", ".ogg", ".opus", ".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".aac"]
BY_MILLISECONDS = {".mkv", ".webm"}
"""Kinds that round their time stamps to milliseconds, so that a cut may be off by one."""


def rate_of(kind: str) -> int:
    return 48000 if kind in (".opus", ".ogg", ".webm") else 44100


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """Samples by which `one` comes later than `other`."""
    size = 2 * max(len(one), len(other))
    correlation = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)))
    peak = int(np.argmax(correlation))
    return peak if peak < size // 2 else peak - size


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_is_what_the_whole_has_there(tmp_path: Path, kind: str) -> None:
    rate = rate_of(kind)
    path = write_clip(tmp_path / f"a{kind}", noise(5, rate, 2), rate=rate)
    whole = decode_audio(Clip(path))
    assert (whole.rate, whole.samples.shape[0]) == (rate, 2)
    assert whole.seconds == pytest.approx(5, abs=0.05)
    for start, end in ((0.3, 1.1), (2.1234, 3.5), (4.0, 4.9)):
        cut = decode_audio(Clip(path, start, end))
        assert cut.samples.shape[1] == round((end - start) * rate)
        there = whole.samples[:, round(start * rate) :][:, : cut.samples.shape[1]]
        assert abs(lag(cut.samples[0], there[0])) <= (rate // 1000 + 1 if kind in BY_MILLISECONDS else 0)
        if kind not in BY_MILLISECONDS:
            # AAC draws its noise at random from where decoding begins: nearly the same is all that can be asked.
            assert np.corrcoef(cut.samples[0], there[0])[0, 1] > 0.97


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_give_their_very_samples(tmp_path: Path, kind: str) -> None:
    samples = noise(3, RATE, 2)
    path = write_clip(tmp_path / f"a{kind}", samples)
    np.testing.assert_allclose(decode_audio(Clip(path)).samples, samples, atol=1e-4)
    np.testing.assert_allclose(decode_audio(Clip(path, 1.5, 2.5)).samples, samples[:, 24000:40000], atol=1e-4)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw"])
def test_every_sample_format_is_scaled_to_one(tmp_path: Path, codec: str) -> None:
    samples = tone(200, 0.5, amplitude=0.5)
    found = decode_audio(Clip(write_clip(tmp_path / "a.wav", samples, codec=codec))).samples
    np.testing.assert_allclose(found, samples, atol=0.03 if codec in ("pcm_u8", "pcm_mulaw") else 1e-4)


@pytest.mark.parametrize("layout", ["5.1", "5.1(side)", "3.0"])
def test_surround_sound_keeps_its_channels_and_is_mixed_by_its_layout(tmp_path: Path, layout: str) -> None:
    samples = noise(1, 48000, 6 if layout.startswith("5.1") else 3)
    path = write_clip(tmp_path / "a.wav", samples, rate=48000, layout=layout)
    audio = decode_audio(Clip(path))
    assert audio.samples.shape == samples.shape
    gains = [0.5, 0.5, 0.5**0.5, 0, 0.5**1.5, 0.5**1.5][: len(samples)]
    np.testing.assert_allclose(audio.mono(), np.tensordot(gains, samples, axes=1), atol=1e-4)
    speech = np.zeros_like(samples)
    speech[2] = samples[2]  # from the centre
    level = np.square(Audio(speech, 48000, audio.channels).mono()).mean() / np.square(samples[2]).mean()
    assert 10 * np.log10(level) == pytest.approx(-3.01, abs=0.01)


def test_the_channels_of_other_sound_are_mixed_to_their_mean(tmp_path: Path) -> None:
    samples = noise(1, channels=2)
    np.testing.assert_allclose(
        decode_audio(Clip(write_clip(tmp_path / "a.wav", samples))).mono(), samples.mean(0), atol=1e-4
    )
    np.testing.assert_allclose(Audio(noise(1, channels=6), RATE).mono(), noise(1, channels=6).mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    "gains",
    [(1, -1), (-0.9, 1), (0, 0, 1, 0), (0, 0, 0, 0, 0, 0, 1, 0), (0.5, 1, -1)],
    ids=["opposite", "nearly opposite", "one of four", "one of eight", "two of three opposite"],
)
def test_where_the_mix_cancels_the_loudest_channel_is_taken(gains: tuple[float, ...]) -> None:
    voice = noise(1)[0]
    samples = np.array([gain * voice for gain in gains], dtype=np.float32)
    mono = Audio(samples, RATE).mono()
    np.testing.assert_array_equal(np.abs(mono), np.abs(voice))


@pytest.mark.parametrize("gains", [(1, 0), (1, 0.2), (1, -0.2), (1, 1, 0)])
def test_a_mix_that_does_not_cancel_stays_the_mean(gains: tuple[float, ...]) -> None:
    samples = np.array([gain * noise(1)[0] for gain in gains], dtype=np.float32)
    np.testing.assert_array_equal(Audio(samples, RATE).mono(), samples.mean(axis=0))


def test_the_low_frequency_channel_alone_is_heard() -> None:
    samples = np.zeros((6, RATE), dtype=np.float32)
    samples[3] = noise(1)[0]
    mono = Audio(samples, RATE, ("FL", "FR", "FC", "LFE", "BL", "BR")).mono()
    np.testing.assert_array_equal(mono, samples[3])


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    audio = decode_audio(Clip(write_clip(tmp_path / "a.wav", tone(440, 1, 44100), rate=44100)))
    mono = audio.mono(16000)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono[1000:-1000], tone(440, 1, 16000)[0, 1000:-1000], atol=2e-3)


def test_time_begins_where_the_recording_does(tmp_path: Path) -> None:
    samples = noise(3, RATE)
    path = write_clip(tmp_path / "a.mkv", samples, codec="flac", sound_starts=7.0)
    assert decode_audio(Clip(path)).samples.shape[1] == samples.shape[1]
    np.testing.assert_allclose(decode_audio(Clip(path, 1, 2)).samples, samples[:, 16000:32000], atol=1e-4)


def test_sound_that_begins_later_than_the_picture_stays_in_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", noise(2), codec="flac", sound_starts=1.0, pictures=numbered(75))
    audio = decode_audio(Clip(path, 0.5, 1.5))
    assert not audio.samples[:, : RATE // 2 - 20].any()
    assert np.abs(audio.samples[:, RATE // 2 + 20 :]).mean() > 0.01


def test_pictures_come_evenly_and_at_their_times(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", pictures=numbered(75))
    found = list(decode_frames(Clip(path), 5))
    assert [number_of(picture) for _, picture in found] == list(range(0, 75, 5))
    assert [moment for moment, _ in found] == pytest.approx(np.arange(15) / 5, abs=1e-3)
    assert found[0][1].shape == (48, 128, 3)
    assert found[0][1].dtype == np.uint8


@pytest.mark.parametrize("kind", [".mp4", ".mkv", ".webm", ".avi", ".mov", ".ts", ".mts", ".3gp", ".flv"])
def test_pictures_are_cut_by_time(tmp_path: Path, kind: str) -> None:
    path = write_clip(tmp_path / f"a{kind}", pictures=numbered(75))
    for first, end in ((30, 55), (11, 13), (35, 36), (70, 75)):
        found = [number_of(picture) for _, picture in decode_frames(Clip(path, first / 25, end / 25), 25)]
        assert found == list(range(first, end))


@pytest.mark.parametrize("begins", [0.0, 36000.0])
def test_pictures_of_a_transport_stream_are_found_after_every_seek(tmp_path: Path, begins: float) -> None:
    """Its seeks end at any packet, and decoding begins only at the next key frame, here up to 2 s later."""
    path = write_clip(tmp_path / "a.ts", pictures=numbered(100), per_second=10, key_frames=20, pictures_start=begins)
    for first in range(0, 100, 7):
        found = [number_of(picture) for _, picture in decode_frames(Clip(path, first / 10, first / 10 + 0.3), 10)]
        assert found == list(range(first, min(first + 3, 100)))


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_silent_beginning_does_not_make_an_mp3_look_cut_off(tmp_path: Path, rate: int) -> None:
    """Without a header its duration is estimated from the bit rate of the first frames, here of silence."""
    sound = np.concatenate([noise(4, rate) * 0, noise(4, rate)], axis=1)
    path = write_clip(tmp_path / "a.mp3", sound, rate=rate, options={"write_xing": "0"}, quality=0)
    assert container_seconds(path) > 2 * 8.1
    assert decode_audio(Clip(path)).seconds == pytest.approx(8, abs=0.11)
    assert decode_audio(Clip(path, 3.0)).seconds == pytest.approx(5, abs=0.11)


def test_a_variable_picture_rate_is_followed(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 1.0, 1.04, 2.6]
    path = write_clip(tmp_path / "a.mkv", pictures=numbered(6), times=times)
    found = [(round(moment, 2), number_of(picture)) for moment, picture in decode_frames(Clip(path), 2)]
    assert found == [(0, 0), (0.08, 2), (1.0, 3), (1.04, 4)]


@pytest.mark.parametrize("spacing", ["even", "uneven"])
def test_pictures_that_are_not_due_are_passed_over_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacing: str
) -> None:
    times = None if spacing == "even" else np.cumsum(np.random.default_rng(0).choice([0.04, 0.04, 0.5], 150)).tolist()
    path = write_clip(tmp_path / "a.mp4", pictures=numbered(150), times=times)
    decoded: list[int] = []
    frames = media.frames

    def counted(packets: Any) -> Any:
        decoded.append(0)
        for frame in frames(packets):
            decoded[-1] += 1
            yield frame

    def sampled() -> list[tuple[float, int]]:
        clips = [Clip(path), Clip(path, 1.3, 2.9)]
        return [(time, number_of(picture)) for clip in clips for time, picture in decode_frames(clip, 4)]

    monkeypatch.setattr(media_video, "frames", counted)
    found = sampled()
    monkeypatch.setattr(media_video, "_skip_unused", lambda packets, *_: packets)
    assert found == sampled()
    assert decoded[0] < decoded[2] == 150


@pytest.mark.parametrize("kind", [".flac", ".mp3", ".mkv", ".webm"])
def test_a_file_of_which_the_smaller_part_is_there_is_no_recording_of_an_utterance(tmp_path: Path, kind: str) -> None:
    whole = write_clip(tmp_path / f"whole{kind}", noise(3.0)).read_bytes()
    path = tmp_path / f"a{kind}"
    path.write_bytes(whole[: len(whole) * 3 // 10])
    with pytest.raises(MediaProblem, match=r"0\.\d\d of [23]\.\d\d s"):
        decode_audio(Clip(path))
    assert decode_audio(Clip(path, 0.1, 0.4)).seconds == pytest.approx(0.3, abs=0.01)  # a stretch that is there
    path.write_bytes(whole[: len(whole) * 8 // 10])
    assert 1.5 < decode_audio(Clip(path)).seconds < 3.0


@pytest.mark.parametrize(("turns", "matrix"), [(1, (0, 1, -1, 0)), (2, (-1, 0, 0, -1)), (3, (0, -1, 1, 0))])
def test_pictures_of_a_turned_camera_are_upright(tmp_path: Path, turns: int, matrix: tuple[int, ...]) -> None:
    """Telephones write what the sensor saw and, in the file, how it was held: here, `turns` quarters to the right."""
    upright = numbered(25)[19]
    sensor = [np.ascontiguousarray(np.rot90(upright, turns))] * 5
    path = write_clip(tmp_path / "a.mp4", pictures=sensor)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44  # the matrix of its track header, rows of three numbers
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    [(_, picture)] = decode_frames(Clip(path), 1)
    assert picture.shape == upright.shape
    assert number_of(picture) == 19
    assert decode_frames(Clip(path, half="left"), 1).__next__()[1].shape == (48, 64, 3)


def test_a_clip_shorter_than_a_picture_has_the_one_on_display(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", pictures=numbered(25))
    assert [number_of(picture) for _, picture in decode_frames(Clip(path, 0.41, 0.42), 5)] == [10]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "a.wav", noise(1))
    film = write_clip(tmp_path / "a.mp4", pictures=numbered(10))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp4").write_text("Not a film at all.\n" * 50)
    for problem, clip in (
        ("no audio track", Clip(film)),
        (f"file not found in {tmp_path}", Clip(tmp_path / "b.wav")),
        ("not a file", Clip(tmp_path)),
        ("an empty file", Clip(tmp_path / "empty.wav")),
        ("corrupt", Clip(tmp_path / "text.mp4")),
        ("ends before 3.00 s", Clip(sound, 3, 4)),
        ("ends before 4.00 s", Clip(sound, 0.9, 4)),
        ("not after its start", Clip(sound, 0.5, 0.5)),
        ("are not valid", Clip(sound, -1, 1)),
        ("are not valid", Clip(sound, float("nan"), 1)),
        ("longer than 10 minutes", Clip(sound, 0, LONGEST + 1)),
    ):
        with pytest.raises(MediaProblem, match=problem):
            decode_audio(clip)
    for problem, clip in (("no video track", Clip(sound)), ("ends before 1.00 s", Clip(film, 1, 2))):
        with pytest.raises(MediaProblem, match=problem):
            list(decode_frames(clip, 5))


def test_an_end_a_little_beyond_the_recording_is_forgiven(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", noise(1))
    assert decode_audio(Clip(path, 0.5, 1.2)).seconds == 0.5


def test_the_cover_of_a_record_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 128, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(numbered(1)[0], format="rgb24").reformat(format="yuvj420p")
        frame = av.AudioFrame.from_ndarray(noise(0.072), format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packets in (cover.encode(picture), cover.encode(None), sound.encode(frame), sound.encode(None)):
            container.mux(packets)
    assert decode_audio(Clip(path)).rate == RATE
    with pytest.raises(MediaProblem, match="no video track"):
        next(decode_frames(Clip(path), 1))


@pytest.mark.parametrize("kind", [".wav", ".mp3", ".mp4", ".mkv", ".ogg", ".flac", ".avi"])
def test_damage_is_never_more_than_a_media_problem(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures = numbered(30) if kind in (".mp4", ".mkv", ".avi") else ()
    rate = rate_of(kind)
    whole = write_clip(tmp_path / f"whole{kind}", noise(1.2, rate), rate=rate, pictures=pictures).read_bytes()
    generator = np.random.default_rng(5)
    for turn in range(12):
        content = bytearray(whole)
        if turn % 2:
            del content[int(generator.integers(len(whole))) :]
        else:
            for place in generator.integers(len(content), size=40):
                content[place] = int(generator.integers(256))
        path = tmp_path / f"broken{kind}"
        path.write_bytes(content)
        for clip in (Clip(path), Clip(path, 0.6, 1.0)):
            with contextlib.suppress(MediaProblem):
                assert np.isfinite(decode_audio(clip).samples).all()
            with contextlib.suppress(MediaProblem):
                assert all(picture.ndim == 3 for _, picture in decode_frames(clip, 5))
    assert capfd.readouterr().err == ""


def test_a_playlist_cannot_name_other_files(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "a.wav", noise(1))
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{sound}\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaProblem, match="corrupt"):
        decode_audio(Clip(playlist))


@pytest.mark.parametrize("kind", [".wav", ".mp4"])
def test_a_cut_late_in_a_long_recording_is_not_read_from_the_beginning(tmp_path: Path, kind: str) -> None:
    path = write_clip(tmp_path / f"a{kind}", np.tile(noise(10), 12), rate=RATE)

    def cost(clip: Clip) -> float:
        begun = time.process_time()
        decode_audio(clip)
        return time.process_time() - begun

    late = min(cost(Clip(path, 110, 111)) for _ in range(3))
    assert late < 0.5 * min(cost(Clip(path)) for _ in range(2))


def test_mono_of_nothing_is_nothing() -> None:
    assert Audio(np.zeros((2, 0), dtype=np.float32), 44100).mono(16000).shape == (0,)


@pytest.mark.slow
@needs_faults
def test_recordings_that_were_once_misread() -> None:
    assert FAULTS is not None
    folder = FAULTS / "media"
    assert decode_audio(Clip(folder / "quiet_start0.mp3")).seconds == pytest.approx(6.64, abs=0.01)
    voice = decode_audio(Clip(folder / "antiphase.wav"))
    np.testing.assert_array_equal(np.abs(voice.mono()), np.abs(voice.samples[0]))
    film = folder / "offset.ts"  # begins at 3599.936 s; 48 s of 10 pictures a second with a key frame every 2.5 s
    for start in np.arange(0.5, 47.0, 0.75):
        moments = [moment for moment, _ in decode_frames(Clip(film, start, start + 0.7), 5)]
        assert moments == pytest.approx([0, 0.2, 0.4, 0.6], abs=0.1)


@needs_clips
def test_a_real_clip_has_six_channels_and_pictures() -> None:
    assert SHARED_DATA is not None
    path = SHARED_DATA / "media" / "dia1_utt0.mp4"
    audio = decode_audio(Clip(path))
    assert (audio.samples.shape[0], audio.rate) == (6, 48000)
    assert audio.seconds == pytest.approx(2.47, abs=0.02)
    frames = list(decode_frames(Clip(path), 4))
    assert len(frames) == 10
    assert frames[0][1].shape == (720, 1280, 3)
    with pytest.raises(MediaProblem, match="no audio track"):
        decode_audio(Clip(SHARED_DATA / "media" / "noise_no_audio.mp4"))
