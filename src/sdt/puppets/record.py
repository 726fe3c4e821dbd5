"""Encoding of rendered scenes: an MP4 file with or without sound, or a WAV file."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.errors import MissingDependencyError
from sdt.puppets.face import Picture
from sdt.puppets.generate import Scene
from sdt.puppets.stage import PER_SECOND, SIDE, pictures, sound, speeches
from sdt.puppets.synthesis import RATE

BLOCK = 1024
"""The number of samples of an audio frame."""
SAMPLE = Fraction(1, RATE)
"""The duration of a sample in seconds."""
BITS = "48000"
"""The bit rate of the sound of a video."""
QUALITY = {"crf": "25", "preset": "ultrafast", "threads": "1", "g": str(2 * PER_SECOND)}
"""The options of the H.264 encoder; one thread, so that the result does not depend on the number of cores."""


def pyav() -> ModuleType:
    """The module `av`.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingDependencyError(
            "recording puppets requires PyAV, which is not installed; install it with: pip install 'sdt-erc[media]'"
        ) from None
    return av


def file_name(scene: Scene) -> str:
    """The file name of the recording of a scene."""
    return f"{scene.conversation.id}.{'wav' if scene.recording == 'sound' else 'mp4'}"


def record(scene: Scene, path: Path) -> None:
    """Render a scene and write its recording.

    Args:
        scene: The scene.
        path: The file, with the suffix of `file_name`.

    Raises:
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    spoken = speeches(scene)
    with pyav().open(str(path), "w") as container:
        tracks = []
        if scene.recording != "silent film":
            tracks.append(_sound_track(container, sound(scene, spoken), film=scene.recording == "film"))
        if scene.recording != "sound":
            tracks.append(_picture_track(container, pictures(scene, spoken)))
        for packet in _in_order(tracks):
            container.mux(packet)


def _sound_track(container: Any, samples: npt.NDArray[np.float32], *, film: bool) -> Iterator[Any]:  # noqa: ANN401
    """Yield the packets of samples [n]."""
    av = pyav()
    # The fast coder takes half the time without a measurable difference.
    codec, options = ("aac", {"b": BITS, "aac_coder": "fast"}) if film else ("pcm_s16le", {})
    stream = container.add_stream(codec, rate=RATE, layout="mono", options=options)

    def packets() -> Iterator[Any]:
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=RATE)
        for first in range(0, len(samples), BLOCK):
            frame = av.AudioFrame.from_ndarray(samples[None, first : first + BLOCK], format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, SAMPLE
            for converted in resampler.resample(frame):
                yield from stream.encode(converted)
        yield from stream.encode(None)

    return packets()


def _picture_track(container: Any, frames: Iterable[Picture]) -> Iterator[Any]:  # noqa: ANN401
    """Yield the packets of pictures."""
    av = pyav()
    stream = container.add_stream("libx264", rate=PER_SECOND, options=QUALITY)
    stream.height = stream.width = SIDE
    stream.pix_fmt = "yuv420p"

    def packets() -> Iterator[Any]:
        for picture in frames:
            yield from stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        yield from stream.encode(None)

    return packets()


def _in_order(tracks: list[Iterator[Any]]) -> Iterator[Any]:
    """Yield the packets of all tracks in the order of their time stamps."""
    return heapq.merge(*tracks, key=_time)


def _time(packet: Any) -> float:  # noqa: ANN401
    return float((packet.dts or 0) * packet.time_base)
