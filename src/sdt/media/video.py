"""Decoding of pictures from media files."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from sdt.media.clip import Clip, MediaProblem, frames, open_media, origin, packets, seek_to, time_range

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame, VideoStream
    from av.container import InputContainer

Picture = npt.NDArray[np.uint8]

REORDERED = 16
"""The largest distance in packets between the decoding order and the display order of a picture, over all codecs."""


def decode_frames(clip: Clip, per_second: float) -> Iterator[tuple[float, Picture]]:
    """Decode at most `per_second` evenly spaced pictures per second of a clip.

    At each due time, the picture on display is yielded; no picture is yielded twice, so that films with a low or
    irregular frame rate yield fewer. The file is closed when the iteration ends or is abandoned.

    Args:
        clip: The file and the time range.
        per_second: Pictures per second.

    Yields:
        Seconds from the start of the clip to the display of the picture (at least 0), and RGB uint8 [H, W, 3].

    Raises:
        MediaProblem: During the iteration: the file is missing, corrupt, has no video track, or ends before the clip.
        MissingDependencyError: PyAV is not installed.
    """
    start, end = time_range(clip)
    length = math.inf if end is None else end - start
    due = 0  # the next picture is due at due / per_second
    with open_media(clip.path) as container:
        for time, until, frame in _displayed(container, start, per_second):
            if time >= length:
                break
            if until > 0 and due / per_second < min(until, length) - 1e-6:
                yield max(time, 0.0), _picture(frame, clip.half)
                due = math.ceil(until * per_second - 1e-6)
        if not due:
            raise MediaProblem(f"ends before {start:.2f} s" if start else "no picture in its video track")


def _picture(frame: VideoFrame, half: str | None) -> Picture:
    """A frame as players show it, rotated as its metadata specifies: RGB uint8 [H, W, 3]."""
    picture = cast(Picture, frame.to_ndarray(format="rgb24"))
    if frame.rotation:  # degrees, counterclockwise
        picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
    if half is None:
        return picture
    middle = picture.shape[1] // 2
    return np.ascontiguousarray(picture[:, :middle] if half == "left" else picture[:, middle:])


def _displayed(container: InputContainer, start: float, per_second: float) -> Iterator[tuple[float, float, VideoFrame]]:
    """Yield the pictures from `start` on, with the start and end of their display in seconds from `start`.

    Pictures that no other picture refers to are decoded only if they can be on display at a due time.
    """
    from av.stream import Disposition

    stream = cast("VideoStream | None", container.streams.best("video"))
    if stream is None or stream.disposition & Disposition.attached_pic:  # the cover of a record
        raise MediaProblem("no video track")
    stream.thread_type = "AUTO"
    zero = origin(container, stream) + start
    lasts = float(1 / stream.average_rate) if stream.average_rate else 0.04
    shown: tuple[float, VideoFrame] | None = None
    for frame in _frames_around(container, stream, start, zero, per_second):
        untimed = shown[0] + lasts if shown else -start
        time = untimed if frame.time is None else frame.time - zero
        if shown is not None:
            yield shown[0], time, shown[1]
        shown = (time, frame)
    if shown is not None:
        yield shown[0], shown[0] + lasts, shown[1]


def _frames_around(
    container: InputContainer, stream: VideoStream, start: float, zero: float, per_second: float
) -> Iterator[VideoFrame]:
    """Yield decoded frames in order, from a time stamp at or before `zero` (`start` seconds into the recording).

    Containers without an index (MPEG-TS) seek to a nearby packet, and decoding starts at the next key frame, which
    can be later. The seek is then repeated further back.
    """

    def decoded() -> Iterator[VideoFrame | None]:
        return frames(_skip_unused(packets(container, stream), stream.codec_context, zero, per_second))

    back = 0.0
    while back < start and seek_to(container, stream, zero - back):
        found = decoded()
        first = next((f for f in found if f is not None and f.time is not None and not f.is_corrupt), None)
        if first is not None and first.time <= zero:
            yield first
            break
        back = max(1.0, 2 * back)
    else:
        if start > 0:
            container.seek(min(0, container.start_time or 0))
        found = decoded()
    yield from (frame for frame in found if frame is not None)


def _skip_unused(
    packets: Iterator[Packet[Any] | None], codec: VideoCodecContext, zero: float, per_second: float
) -> Iterator[Packet[Any] | None]:
    """Yield packets, and let the decoder skip pictures that are not on display at a due time.

    Only pictures that no other refers to are skipped. Display times follow from the neighbouring time stamps, because
    the durations in files are often those of an average picture.
    """
    before: deque[Packet[Any]] = deque(maxlen=REORDERED)
    ahead = deque(itertools.islice(packets, REORDERED))
    while ahead:
        packet = ahead.popleft()
        ahead.extend(itertools.islice(packets, 1))
        if packet is not None:
            around = (*before, *ahead)
            codec.skip_frame = "DEFAULT" if _may_be_due(packet, around, zero, per_second) else "NONREF"
            before.append(packet)
        yield packet


def _may_be_due(packet: Packet[Any], around: Sequence[Packet[Any] | None], zero: float, per_second: float) -> bool:
    """Whether a multiple of 1 / `per_second` s after `zero` falls into the display time of this picture."""
    stamps = [other.pts for other in around if other is not None and other.pts is not None]
    following = min((stamp for stamp in stamps if packet.pts is not None and stamp > packet.pts), default=None)
    if packet.pts is None or packet.time_base is None or following is None:
        return True
    shown, until = (float(stamp * packet.time_base) - zero for stamp in (packet.pts, following))
    return until > 0 and math.ceil(max(0.0, shown) * per_second - 1e-6) < until * per_second + 1e-6
