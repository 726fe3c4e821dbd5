"""A performed scene as a file: an MP4 film with or without sound, or a WAV file."""

from __future__ import annotations

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
"""Samples given to the encoder at once."""
BITS = "48000"
"""Bits per second of a film's sound."""
QUALITY = {"crf": "25", "preset": "ultrafast", "threads": "1", "g": str(2 * PER_SECOND)}
"""Of H.264; one thread, so that the number of processor cores changes nothing."""


def pyav() -> ModuleType:
    """The module `av`.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingDependencyError(
            "puppets are recorded by PyAV, which is not installed; install it with: pip install 'sdt-erc[media]'"
        ) from None
    return av


def file_name(scene: Scene) -> str:
    """The name of a scene's recording."""
    return f"{scene.conversation.id}.{'wav' if scene.recording == 'sound' else 'mp4'}"


def record(scene: Scene, path: Path) -> None:
    """Perform a scene and write its recording, with the tracks that the scene has.

    Args:
        scene: What is performed.
        path: The file, with the suffix of `file_name`.

    Raises:
        MissingDependencyError: PyAV or OpenCV is not installed.
    """
    said = speeches(scene)
    with pyav().open(str(path), "w") as container:
        tracks = []
        if scene.recording != "silent film":
            tracks.append(_sound_track(container, sound(scene, said), film=scene.recording == "film"))
        if scene.recording != "sound":
            tracks.append(_picture_track(container, pictures(scene, said)))
        for packet in _in_order(tracks):
            container.mux(packet)


def _sound_track(container: Any, samples: npt.NDArray[np.float32], *, film: bool) -> Iterator[Any]:  # noqa: ANN401
    """Packets of [n] samples."""
    av = pyav()
    # The fast coder takes half as long, and no difference can be measured.
    codec, options = ("aac", {"b": BITS, "aac_coder": "fast"}) if film else ("pcm_s16le", {})
    stream = container.add_stream(codec, rate=RATE, layout="mono", options=options)

    def packets() -> Iterator[Any]:
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=RATE)
        for first in range(0, len(samples), BLOCK):
            frame = av.AudioFrame.from_ndarray(samples[None, first : first + BLOCK], format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
            for converted in resampler.resample(frame):
                yield from stream.encode(converted)
        yield from stream.encode(None)

    return packets()


def _picture_track(container: Any, seen: Iterable[Picture]) -> Iterator[Any]:  # noqa: ANN401
    """Packets of pictures."""
    av = pyav()
    stream = container.add_stream("libx264", rate=PER_SECOND, options=QUALITY)
    stream.height = stream.width = SIDE
    stream.pix_fmt = "yuv420p"

    def packets() -> Iterator[Any]:
        for picture in seen:
            yield from stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        yield from stream.encode(None)

    return packets()


def _in_order(tracks: list[Iterator[Any]]) -> Iterator[Any]:
    """The packets of all tracks by their time."""
    waiting = {number: next(track, None) for number, track in enumerate(tracks)}
    while any(packet is not None for packet in waiting.values()):
        number = min((n for n, packet in waiting.items() if packet is not None), key=lambda n: _time(waiting[n]))
        yield waiting[number]
        waiting[number] = next(tracks[number], None)


def _time(packet: Any) -> float:  # noqa: ANN401
    return float((packet.dts or 0) * packet.time_base)
