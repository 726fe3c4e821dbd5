"""Small media files for tests, written by PyAV: sound whose place in time can be told, films whose pictures can."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt

RATE = 16000
"""Samples per second of the sound made here, where a test does not say otherwise."""

CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".mp3": "libmp3lame",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".mp4": "aac",
    ".mov": "aac",
    ".mkv": "aac",
    ".webm": "libopus",
    ".avi": "pcm_s16le",
}
"""The sound codec of each kind of file."""
VIDEO_CODECS = {".webm": "libvpx", ".avi": "mpeg4"}
"""The picture codec, where it is not H.264."""


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> npt.NDArray[np.float32]:
    """Coloured noise [channels, n] under a slow swell: no two stretches of it are alike."""
    generator = np.random.default_rng(seed)
    n = round(seconds * rate)
    white = generator.standard_normal((channels, n + 7))
    smooth = sum(white[:, k : k + n] for k in range(8)) / 8
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * np.arange(n) / rate / 1.7)
    return np.asarray(0.4 * smooth * swell, dtype=np.float32)


def tone(hertz: float, seconds: float, rate: int = RATE, amplitude: float = 0.3) -> npt.NDArray[np.float32]:
    """A sine [1, n]."""
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(amplitude * np.sin(2 * np.pi * hertz * times), dtype=np.float32)[None]


def numbered(count: int) -> list[npt.NDArray[np.uint8]]:
    """Pictures [48, 128, 3] that carry their number as eight black and white columns, so that no codec can blur it."""
    bits = [[k >> bit & 1 for bit in range(8)] for k in range(count)]
    return [np.repeat(np.array([np.repeat(row, 16)] * 48, np.uint8)[..., None] * 255, 3, axis=2) for row in bits]


def number_of(picture: npt.NDArray[np.uint8]) -> int:
    """Which picture of `numbered` this is."""
    columns = picture.reshape(48, 8, 16, 3).mean(axis=(0, 2, 3)) > 128
    return int(sum(1 << bit for bit in range(8) if columns[bit]))


def write_clip(
    path: Path,
    samples: npt.NDArray[np.float32] | None = None,
    *,
    rate: int = RATE,
    codec: str | None = None,
    layout: str | None = None,
    pictures: Sequence[npt.NDArray[np.uint8]] = (),
    per_second: int = 25,
    times: Sequence[float] | None = None,
    sound_starts: float = 0.0,
    pictures_start: float = 0.0,
    bits_per_second: int | None = None,
    quality: int | None = None,
    key_frames: int = 12,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file with a sound track, a picture track or both; the ending of its name says which kind.

    Args:
        path: Where; `.wav`, `.flac`, `.mp3`, `.ogg`, `.opus`, `.mp4`, `.mov`, `.mkv`, `.webm`, `.avi`, `.ts`.
        samples: [channels, n] in [-1, 1].
        rate: Samples per second.
        codec: The sound codec, where not the usual one of the file's kind.
        layout: The channel layout, as in "5.1".
        pictures: RGB [H, W, 3] each.
        per_second: Pictures per second.
        times: When each picture is shown, in seconds; evenly spaced where not given.
        sound_starts: The time stamp of the first sample, in seconds.
        pictures_start: The time stamp of the first picture, in seconds.
        bits_per_second: Of the sound.
        quality: Of the sound with a variable bit rate, for MP3: 0 (best) to 9.
        key_frames: Pictures from one key frame to the next.
        options: Of the container.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        audio: Any = None
        video: Any = None
        if pictures:
            video = container.add_stream(VIDEO_CODECS.get(path.suffix, "libx264"), rate=per_second)
            video.height, video.width = pictures[0].shape[:2]
            video.pix_fmt = "yuv420p"
            video.codec_context.gop_size = key_frames
            video.codec_context.time_base = Fraction(1, 1000)
        if samples is not None:
            name = codec or CODECS.get(path.suffix, "aac")
            layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[0]]
            audio = cast(Any, container).add_stream(name, rate=rate, layout=layout)
            if bits_per_second:
                audio.bit_rate = bits_per_second
            if quality is not None:
                audio.codec_context.flags |= 2  # AV_CODEC_FLAG_QSCALE
                audio.codec_context.global_quality = quality * 118  # FF_QP2LAMBDA
        packets = []
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            moment = (times[k] if times else k / per_second) + pictures_start
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            packets += video.encode(frame)
        if video:
            packets += video.encode(None)
        if audio:
            assert samples is not None
            packets += _encoded(audio, samples, rate, layout or "mono", sound_starts)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * one.time_base)):
            container.mux(packet)
    return path


def _encoded(
    stream: Any, samples: npt.NDArray[np.float32], rate: int, layout: str, starts: float
) -> list[av.Packet[Any]]:
    # Small frames, so that every codec gets the size that it wants; the encoder's own sample format.
    resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate, frame_size=1024)
    packets = []
    place = round(starts * rate)
    for first in range(0, samples.shape[1], 1024):
        piece = np.ascontiguousarray(samples[:, first : first + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, place + first, Fraction(1, rate)
        for ready in resampler.resample(frame):
            packets += stream.encode(ready)
    for ready in resampler.resample(None):
        packets += stream.encode(ready)
    return packets + list(stream.encode(None))
