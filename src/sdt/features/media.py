"""Sound and pictures out of media files: decoded, cut by time, and nothing but `MediaProblem` when that fails.

Everything is decoded by PyAV, which carries its own libraries; no ffmpeg program is needed. A stretch is reached by
seeking, so that cutting a long recording into many utterances does not read it from the beginning every time.
Time 0 is the beginning of the recording as a player shows it: streams whose first time stamp is not zero are shifted.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from sdt.errors import MissingDependencyError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet, VideoCodecContext, VideoFrame, VideoStream
    from av.container import InputContainer

Samples = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

FORMATS = "wav,w64,flac,mp3,ogg,mov,mp4,matroska,webm,avi,aac,aiff,au,caf,amr,mpegts,mpeg,flv,asf"
"""Containers that are opened. Playlists, which name other files, are not; nor is text, which FFmpeg would show as a
film of a terminal."""
LONGEST = 600.0
"""Seconds of sound decoded at once. No utterance is so long: a whole recording without times is meant."""
LARGEST = 2**28
"""Samples decoded at once, all channels together (1 GiB)."""
PREROLL = 0.5
"""Seconds decoded before a cut: what a lossy codec needs to be in the state it would be in had it run from the start
(Opus 80 ms, MP3's bit reservoir up to about 0.3 s)."""
GAP = 0.05
"""Seconds by which time stamps must be off before they count as a gap in the sound; Matroska rounds them to 1 ms."""
SILENCE = 2.0**-15
"""Samples below that, one step of 16 bits, are silence: that of a microphone that is off, never that of a room."""
REORDERED = 16
"""Packets by which a picture's place in the file may differ from its place on the screen; no codec knows more."""
ENOUGH = 0.5
"""The share of the asked stretch that must be there: transcripts often end a little after the recording does."""


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


@dataclass(frozen=True, slots=True)
class Audio:
    """Decoded sound."""

    samples: Samples
    """[channels, n], in [-1, 1]."""
    rate: int
    """Samples per second."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return float(self.samples.shape[1] / self.rate)

    def mono(self, rate: int | None = None) -> Samples:
        """The mean of the channels, resampled to `rate` where one is given: float32 [n]."""
        mixed: Samples = self.samples.mean(axis=0, dtype=np.float32)
        if rate is None or rate == self.rate or not mixed.size:
            return mixed
        from scipy.signal import resample_poly

        common = math.gcd(rate, self.rate)
        resampled: Samples = resample_poly(mixed, rate // common, self.rate // common).astype(np.float32)
        return resampled


def decode_audio(clip: Clip) -> Audio:
    """Decode a clip's sound, every channel, at the file's own rate.

    Sample 0 lies at the clip's start. Silence stands where the sound begins later than the recording or has a gap.

    Args:
        clip: The file and the stretch of it.

    Raises:
        MediaProblem: There is no sound to be had: no such file, no audio track, nothing but digital silence, the file
            is corrupt, ends before half of the stretch is over, or the stretch is longer than ten minutes.
        MissingDependencyError: PyAV is not installed.
    """
    start, end = _stretch(clip)
    length = LONGEST if end is None else end - start
    if length > LONGEST:
        raise MediaProblem(f"longer than {LONGEST / 60:.0f} minutes")
    sound = _read_sound(clip.path, start, length, seek=True) if start > PREROLL else None
    if sound is None or sound.begins > GAP:  # the file cannot seek, or the seek went too far
        sound = _read_sound(clip.path, start, length, seek=False)
    if sound is None or not sound.pieces:
        raise MediaProblem(f"ends before {start:.2f} s" if start else "no sound in its audio track")
    if end is None and sound.complete:
        raise MediaProblem(f"longer than {LONGEST / 60:.0f} minutes")
    samples = sound.joined()
    heard = sum(piece.shape[1] for _, piece in sound.pieces) / sound.rate
    if sound.corrupt and heard < ENOUGH * samples.shape[1] / sound.rate:
        raise MediaProblem("corrupt")
    if end is None and heard < ENOUGH * (sound.stated - start):
        raise MediaProblem(f"cut off: {heard:.2f} of {sound.stated - start:.2f} s are there")
    if end is not None and samples.shape[1] < ENOUGH * length * sound.rate:
        raise MediaProblem(f"ends before {end:.2f} s")
    if np.abs(samples).max() < SILENCE:
        raise MediaProblem("silence")
    return Audio(samples, sound.rate)


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
    start, end = _stretch(clip)
    length = math.inf if end is None else end - start
    due = 0  # the next picture is due at due / per_second
    with _opened(clip.path) as container:
        for time, until, frame in _displayed(container, start, per_second):
            if time >= length:
                break
            if until > 0 and due / per_second < min(until, length) - 1e-6:
                yield max(time, 0.0), _picture(frame, clip.half)
                due = math.ceil(until * per_second - 1e-6)
        if not due:
            raise MediaProblem(f"ends before {start:.2f} s" if start else "no picture in its video track")


def stated_seconds(path: Path) -> float:
    """How long a recording lasts by its own account; 0 where it says nothing.

    Raises:
        MediaProblem: It cannot be opened.
        MissingDependencyError: PyAV is not installed.
    """
    with _opened(path) as container:
        return max(0.0, (container.duration or 0) / 1_000_000)


def _stretch(clip: Clip) -> tuple[float, float | None]:
    """Start and end in seconds, checked."""
    start = clip.start or 0.0
    if not (math.isfinite(start) and start >= 0 and (clip.end is None or math.isfinite(clip.end))):
        raise MediaProblem(f"its times ({clip.start} to {clip.end}) are no times in a recording")
    if clip.end is not None and clip.end <= start:
        raise MediaProblem(f"ends at {clip.end:.2f} s, not after its start at {start:.2f} s")
    return start, clip.end


def _picture(frame: VideoFrame, half: str | None) -> Picture:
    """A frame as a player shows it, upright if the camera says how it was held: RGB uint8 [H, W, 3]."""
    picture = cast(Picture, frame.to_ndarray(format="rgb24"))
    if frame.rotation:  # degrees against the clock
        picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
    if half is None:
        return picture
    middle = picture.shape[1] // 2
    return np.ascontiguousarray(picture[:, :middle] if half == "left" else picture[:, middle:])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """Open a file; whatever goes wrong inside, with whatever exception, is a `MediaProblem`."""
    try:
        import av
    except ImportError:
        raise MissingDependencyError("media files need PyAV; install it with: pip install 'sdt-erc[media]'") from None
    if not path.is_file():
        raise MediaProblem("no such file" if not path.exists() else "not a file")
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


def _origin(container: InputContainer, stream: AudioStream | VideoStream) -> float:
    """The time stamp, in seconds, of the beginning of the recording: of its earliest stream."""
    if container.start_time is not None:
        return container.start_time / 1_000_000
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _seek(container: InputContainer, stream: AudioStream | VideoStream, time: float) -> bool:
    """Go to the last place at or before a time stamp (in seconds) from which decoding can begin; False: it cannot."""
    import av

    try:
        container.seek(int(time / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        return False
    return True


@dataclass(slots=True)
class _Sound:
    """What was decoded of a stretch."""

    rate: int = 0
    pieces: list[tuple[int, Samples]] = field(default_factory=list)
    """(first sample in the stretch, [channels, n]), in order, none overlapping."""
    begins: float = math.inf
    """Seconds from the stretch's start to the first sample decoded; negative where decoding began before it."""
    complete: bool = False
    """The whole stretch was decoded; False: the file ended before."""
    corrupt: bool = False
    """Parts of the file could not be decoded."""
    stated: float = 0.0
    """Seconds that the sound lasts as the file says, where it does."""

    def joined(self) -> Samples:
        """[channels, n]: silence where there is no piece."""
        place, last = self.pieces[-1]
        whole = np.zeros((last.shape[0], place + last.shape[1]), dtype=np.float32)
        for place, piece in self.pieces:
            whole[:, place : place + piece.shape[1]] = piece
        return whole


def _read_sound(path: Path, start: float, length: float, *, seek: bool) -> _Sound | None:
    """Decode a stretch (in seconds); None: the file cannot seek."""
    sound = _Sound()
    with _opened(path) as container:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaProblem("no audio track")
        zero = _origin(container, stream) + start
        sound.stated = float((stream.duration or 0) * (stream.time_base or 0))
        if not sound.stated and len(container.streams) == 1:  # else it is how long the pictures last
            sound.stated = (container.duration or 0) / 1_000_000 - _origin(container, stream)
        if seek and not _seek(container, stream, zero - PREROLL):
            return None
        place = 0  # where the next frame begins, in samples from the stretch's start
        for frame in _frames(_packets(container, stream)):
            if frame is None:
                sound.corrupt = True
                continue
            piece = _scaled(frame)
            stamp = None if frame.time is None else frame.time - zero
            if not sound.rate:
                sound.rate, channels = frame.sample_rate, piece.shape[0]
                size = round(length * sound.rate)
                sound.begins = -start if stamp is None else stamp
                if seek and stamp is None:
                    return None
                place = round(sound.begins * sound.rate)
            elif stamp is not None and stamp - place / sound.rate > GAP:
                place = round(stamp * sound.rate)
            if (frame.sample_rate, piece.shape[0]) != (sound.rate, channels):
                raise MediaProblem("its sound changes its format midway")
            inside = piece[:, max(0, -place) : max(0, size - place)]
            if inside.shape[1]:
                sound.pieces.append((max(0, place), inside))
                if (max(0, place) + inside.shape[1]) * channels > LARGEST:
                    raise MediaProblem("too many samples to decode at once")
            place += piece.shape[1]
            if place >= size:
                sound.complete = True
                break
    return sound


def _scaled(frame: AudioFrame) -> Samples:
    """A frame's samples as float32 [channels, n] in [-1, 1]."""
    packed: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        packed = packed.reshape(-1, frame.layout.nb_channels).T  # the channels of one sample lie side by side
    samples: Samples = np.ascontiguousarray(packed, dtype=np.float32)
    if packed.dtype == np.uint8:
        return (samples - 128) / np.float32(128)
    if np.issubdtype(packed.dtype, np.integer):
        return samples / np.float32(2 ** (8 * packed.dtype.itemsize - 1))
    return samples


def _displayed(container: InputContainer, start: float, per_second: float) -> Iterator[tuple[float, float, VideoFrame]]:
    """Pictures with the time of their coming on and going off display, in seconds from `start`, from `start` on.

    Of pictures that no other picture is made from, only those are decoded that may be on display when one is due.
    """
    from av.stream import Disposition

    stream = cast("VideoStream | None", container.streams.best("video"))
    if stream is None or stream.disposition & Disposition.attached_pic:  # the cover of a record is no film
        raise MediaProblem("no video track")
    stream.thread_type = "AUTO"
    zero = _origin(container, stream) + start
    if start > 0 and not _seek(container, stream, zero):
        container.seek(0)
    lasts = float(1 / stream.average_rate) if stream.average_rate else 0.04
    shown: tuple[float, VideoFrame] | None = None
    for frame in _frames(_passing_over(_packets(container, stream), stream.codec_context, zero, per_second)):
        if frame is None:
            continue
        untimed = shown[0] + lasts if shown else -start
        time = untimed if frame.time is None else frame.time - zero
        if shown is not None:
            yield shown[0], time, shown[1]
        shown = (time, frame)
    if shown is not None:
        yield shown[0], shown[0] + lasts, shown[1]


def _packets(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet[Any] | None]:
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


def _frames(packets: Iterator[Packet[Any] | None]) -> Iterator[Any]:
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
