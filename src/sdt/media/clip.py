"""Access to media files: clips, opening, seeking, packets and frames. Every failure is a `MediaProblem`.

PyAV decodes all files with its bundled libraries; the program ffmpeg is not needed. Clips are reached by seeking, so
that cutting a long recording into many utterances does not read it from the start each time. Time 0 is the start of
the recording as players show it: streams whose first time stamp is not zero are shifted.
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
"""The supported containers. Playlists, which refer to other files, and text, which FFmpeg renders as video, are
refused."""


class MediaProblem(Exception):  # noqa: N818 - a condition to count and report, not an error of the program
    """A clip cannot be decoded; its utterance lacks the modality."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """A short phrase: "no audio track", "ends before 3.20 s", "corrupt"."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A time range of a media file."""

    path: Path
    start: float | None = None
    """Seconds from the start of the recording; None is the start."""
    end: float | None = None
    """Seconds from the start of the recording; None is the end."""
    half: Literal["left", "right"] | None = None
    """The half of the picture to use; None is the whole picture."""


FindClip = Callable[[str, str, str], Clip | None]
"""Maps conversation id, utterance id and modality to the recording, or None."""


def container_seconds(path: Path) -> float:
    """The duration that a recording specifies, in seconds; 0 if it does not.

    Raises:
        MediaProblem: The file cannot be opened.
        MissingDependencyError: PyAV is not installed.
    """
    with open_media(path) as container:
        return max(0.0, (container.duration or 0) / 1_000_000)


def time_range(clip: Clip) -> tuple[float, float | None]:
    """The start and end of a clip in seconds.

    Raises:
        MediaProblem: They are not a valid time range.
    """
    start = clip.start or 0.0
    if not (math.isfinite(start) and start >= 0 and (clip.end is None or math.isfinite(clip.end))):
        raise MediaProblem(f"its times ({clip.start} to {clip.end}) are not valid")
    if clip.end is not None and clip.end <= start:
        raise MediaProblem(f"ends at {clip.end:.2f} s, not after its start at {start:.2f} s")
    return start, clip.end


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file; every exception within the block becomes a `MediaProblem`."""
    try:
        import av
    except ImportError:
        raise MissingDependencyError(
            "decoding media files requires PyAV; install it with: pip install 'sdt-erc[media]'"
        ) from None
    # The methods of Path raise errors for impossible file names.
    if not os.path.isfile(path):  # noqa: PTH113
        if os.path.exists(path):  # noqa: PTH110
            raise MediaProblem("not a file")
        raise MediaProblem(f"file not found in {path.parent}")  # the summary of problems groups them by this reason
    if not path.stat().st_size:
        raise MediaProblem("an empty file")
    av.logging.set_level(None)  # suppress the messages of libav about damaged files
    safe = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", container_options=safe, metadata_errors="replace") as container:
            yield container
    except MediaProblem:
        raise
    except Exception as error:  # damaged files make decoders raise any error
        raise MediaProblem(f"corrupt, or not a media file ({type(error).__name__})") from None


def origin(container: InputContainer, stream: AudioStream | VideoStream) -> float:
    """The time stamp of the start of the recording in seconds: that of its earliest stream."""
    if container.start_time is not None:
        return container.start_time / 1_000_000
    return float((stream.start_time or 0) * (stream.time_base or 0))


def seek_to(container: InputContainer, stream: AudioStream | VideoStream, time: float) -> bool:
    """Seek to the last position before a time stamp (in seconds) at which decoding can start; False if not seekable."""
    import av

    try:
        container.seek(int(time / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        return False
    return True


def packets(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet[Any] | None]:
    """Yield the packets of a stream, and None at the end if the rest of the file cannot be read."""
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
    """Yield the decoded frames of packets, and None for each packet that cannot be decoded."""
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
            yield None  # a damaged packet; later ones can be intact
        else:
            yield from frames
