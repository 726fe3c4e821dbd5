"""Media files, opened and read packet by packet; whatever goes wrong in them is a `MediaProblem`.

Everything is decoded by PyAV, which carries its own libraries; no ffmpeg program is needed. A stretch is reached by
seeking, so that cutting a long recording into many utterances does not read it from the beginning every time.
Time 0 is the beginning of the recording as a player shows it: streams whose first time stamp is not zero are shifted.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sdt.errors import MissingDependencyError

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream
    from av.container import InputContainer

FORMATS = (
    "wav,w64,flac,mp3,ogg,mov,mp4,matroska,webm,avi,aac,aiff,au,caf,amr,mpegts,mpeg,flv,asf,wv,ape,tta,ac3,eac3,mxf,dv"
)
"""Containers that are opened. Playlists, which name other files, are not; nor is text, which FFmpeg would show as a
film of a terminal."""


class MediaProblem(Exception):  # noqa: N818 - a condition to count and report, not an error of the program
    """This clip cannot give what was asked; the modality is missing for its utterance."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A short phrase: "no audio track", "ends before 3.20 s", "corrupt"."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a media file."""

    path: Path
    start: float | None = None
    """Seconds from the beginning of the recording; None is the beginning."""
    end: float | None = None
    """Seconds from the beginning of the recording; None is the end."""
    half: Literal["left", "right"] | None = None
    """The half of the picture that is meant; None is all of it."""


FindClip = Callable[[str, str, str], Clip | None]
"""From conversation id, utterance id and modality to the recording; None where there is none."""


def container_seconds(path: Path) -> float:
    """How long a recording lasts by its own account; 0 where it says nothing.

    Raises:
        MediaProblem: It cannot be opened.
        MissingDependencyError: PyAV is not installed.
    """
    with open_media(path) as container:
        return max(0.0, (container.duration or 0) / 1_000_000)


def stretch(clip: Clip) -> tuple[float, float | None]:
    """Start and end in seconds, checked."""
    start = clip.start or 0.0
    if not (math.isfinite(start) and start >= 0 and (clip.end is None or math.isfinite(clip.end))):
        raise MediaProblem(f"its times ({clip.start} to {clip.end}) are no times in a recording")
    if clip.end is not None and clip.end <= start:
        raise MediaProblem(f"ends at {clip.end:.2f} s, not after its start at {start:.2f} s")
    return start, clip.end


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a file; whatever goes wrong inside, with whatever exception, is a `MediaProblem`."""
    try:
        import av
    except ImportError:
        raise MissingDependencyError("media files need PyAV; install it with: pip install 'sdt-erc[media]'") from None
    # Not the methods of Path, which raise an error for names that no file can have.
    if not os.path.isfile(path):  # noqa: PTH113
        raise MediaProblem("not a file" if os.path.exists(path) else "no such file")  # noqa: PTH110
    if not path.stat().st_size:
        raise MediaProblem("an empty file")
    av.logging.set_level(None)  # libav's remarks on broken files are no business of the user's terminal
    safe = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", container_options=safe, metadata_errors="replace") as container:
            yield container
    except MediaProblem:
        raise
    except Exception as error:  # what strangers' files make a decoder raise is not ours to list
        raise MediaProblem(f"corrupt, or no media file ({type(error).__name__})") from None


def origin(container: InputContainer, stream: AudioStream | VideoStream) -> float:
    """The time stamp, in seconds, of the beginning of the recording: of its earliest stream."""
    if container.start_time is not None:
        return container.start_time / 1_000_000
    return float((stream.start_time or 0) * (stream.time_base or 0))


def seek_to(container: InputContainer, stream: AudioStream | VideoStream, time: float) -> bool:
    """Go to the last place at or before a time stamp (in seconds) from which decoding can begin; False: it cannot."""
    import av

    try:
        container.seek(int(time / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        return False
    return True


def packets(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet[Any] | None]:
    """The stream's packets; a None at the end where the file cannot be read on."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, EOFError):
            return
        except av.FFmpegError:
            yield None
            return
        yield packet


def frames(packets: Iterator[Packet[Any] | None]) -> Iterator[Any]:
    """The decoded frames of packets; None wherever something could not be decoded."""
    import av

    for packet in packets:
        if packet is None:
            yield None
            continue
        try:
            frames = packet.decode()
        except EOFError:
            return
        except av.FFmpegError:
            yield None  # a broken packet; those after it may be whole
        else:
            yield from frames
