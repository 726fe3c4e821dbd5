"""Pictures out of media files: decoded and cut by time."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from sdt.media.clip import Clip, MediaProblem, frames, open_media, origin, packets, seek_to, stretch

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame, VideoStream
    from av.container import InputContainer

Picture = npt.NDArray[np.uint8]

REORDERED = 16
"""Packets by which a picture's place in the file may differ from its place on the screen; no codec knows more."""


def decode_frames(clip: Clip, per_second: float) -> Iterator[tuple[float, Picture]]:
    """Decode a clip's pictures, at most `per_second` of them per second, evenly spread.

    Whenever a picture is due, the one then on display is given; none is given twice, so that a film with few or
    irregularly spaced pictures gives fewer. The file is closed when the iteration ends or is given up.

    Args:
        clip: The file and the stretch of it.
        per_second: Pictures per second.

    Yields:
        Seconds from the clip's start at which the picture came on display (at least 0), and RGB uint8 [H, W, 3].

    Raises:
        MediaProblem: While iterating: no such file, no video track, corrupt, or the film ends before the clip begins.
        MissingDependencyError: PyAV is not installed.
    """
    start, end = stretch(clip)
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
    """A frame as a player shows it, upright if the camera says how it was held: RGB uint8 [H, W, 3]."""
    picture = cast(Picture, frame.to_ndarray(format="rgb24"))
    if frame.rotation:  # degrees against the clock
        picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
    if half is None:
        return picture
    middle = picture.shape[1] // 2
    return np.ascontiguousarray(picture[:, :middle] if half == "left" else picture[:, middle:])


def _displayed(container: InputContainer, start: float, per_second: float) -> Iterator[tuple[float, float, VideoFrame]]:
    """Pictures with the time of their coming on and going off display, in seconds from `start`, from `start` on.

    Of pictures that no other picture is made from, only those are decoded that may be on display when one is due.
    """
    from av.stream import Disposition

    stream = cast("VideoStream | None", container.streams.best("video"))
    if stream is None or stream.disposition & Disposition.attached_pic:  # the cover of a record is no film
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
    """Decoded frames in order, from at or before the time stamp `zero` (`start` seconds into the recording).

    Containers without an index (MPEG-TS) seek to some packet near the time; decoding begins only at the next key frame,
    which may be later. Then the seek is repeated further back.
    """

    def decoded() -> Iterator[VideoFrame | None]:
        return frames(_passing_over(packets(container, stream), stream.codec_context, zero, per_second))

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


def _passing_over(
    packets: Iterator[Packet[Any] | None], codec: VideoCodecContext, zero: float, per_second: float
) -> Iterator[Packet[Any] | None]:
    """The packets, the decoder told of each whether it may pass over its picture: not if one is due while it is shown.

    Only pictures that no other is made from are passed over. How long one is on display shows in the time stamps around
    it; the durations that files state are often those of the usual picture.
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
    """Whether a picture is due, at a multiple of 1 / `per_second` s after `zero`, while this one is on display."""
    stamps = [other.pts for other in around if other is not None and other.pts is not None]
    following = min((stamp for stamp in stamps if packet.pts is not None and stamp > packet.pts), default=None)
    if packet.pts is None or packet.time_base is None or following is None:
        return True
    shown, until = (float(stamp * packet.time_base) - zero for stamp in (packet.pts, following))
    return until > 0 and math.ceil(max(0.0, shown) * per_second - 1e-6) < until * per_second + 1e-6
