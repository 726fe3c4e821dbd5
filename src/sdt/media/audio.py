"""Decoding of sound from media files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from sdt.media.clip import Clip, MediaProblem, frames, open_media, origin, packets, seek_to, time_range

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet

Samples = npt.NDArray[np.float32]

LONGEST = 600.0
"""The longest clip in seconds. Longer clips are whole recordings without times rather than utterances."""
LARGEST = 2**28
"""The largest number of samples of a clip over all channels (1 GiB)."""
PREROLL = 0.5
"""Seconds decoded before a clip, which lossy codecs need to reach their state (Opus 80 ms, the bit reservoir of MP3 up
to about 0.3 s)."""
GAP = 0.05
"""Time stamps that differ by more seconds are gaps in the sound; Matroska rounds time stamps to 1 ms."""
SILENCE = 2.0**-15
"""Samples below one step of 16 bits are digital silence, as from a microphone that is off."""
ENOUGH = 0.5
"""The fraction of the clip that must exist, because transcripts often end a little after the recording."""
CANCELLED = 0.1
"""Channels cancel each other if the power of their mix is below this fraction of the power of the loudest channel. Two
unrelated channels of equal level give 0.5, one of two gives 0.25."""
GAINS = {"FL": 0.5, "FR": 0.5, "FC": 0.5**0.5, "LFE": 0.0, "LFE2": 0.0} | dict.fromkeys(
    ("BL", "BR", "SL", "SR", "BC", "FLC", "FRC"), 0.5**1.5
)
"""The gain of each channel of surround sound in the mono mix: the mean of the stereo mix of ITU-R BS.775. Speech from
the centre is as loud as in the stereo mix."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Decoded sound."""

    samples: Samples
    """[channels, n], in [-1, 1]."""
    rate: int
    """Samples per second."""
    channels: tuple[str, ...] = ()
    """[channels] the position of each channel (`FL`, `FC`, `LFE`, ...); empty if the file does not specify it."""

    @property
    def seconds(self) -> float:
        """The duration."""
        return float(self.samples.shape[1] / self.rate)

    def mono(self, rate: int | None = None) -> Samples:
        """Mix the channels and resample to `rate`, if given: float32 [n].

        Surround sound is mixed by its layout (see `GAINS`), other sound by the mean. If the channels cancel each other
        (opposite phase, or one microphone among many silent channels), the loudest channel is used instead.
        """
        mixed = self._mixed()
        if rate is None or rate == self.rate or not mixed.size:
            return mixed
        from scipy.signal import resample_poly

        common = math.gcd(rate, self.rate)
        resampled: Samples = resample_poly(mixed, rate // common, self.rate // common).astype(np.float32)
        return resampled

    def _mixed(self) -> Samples:
        gains = [GAINS[name] for name in self.channels if name in GAINS]
        if "FC" in self.channels and len(gains) == len(self.samples) > 1:
            mixed: Samples = np.tensordot(np.array(gains, dtype=np.float32), self.samples, axes=1)
        else:
            mixed = self.samples.mean(axis=0, dtype=np.float32)
        if len(self.samples) > 1 and mixed.size:
            power = np.square(self.samples).mean(axis=1)  # [channels]
            loudest = int(power.argmax())
            if np.square(mixed).mean() < CANCELLED * power[loudest]:
                mixed = self.samples[loudest]
        return mixed


def decode_audio(clip: Clip) -> Audio:
    """Decode all channels of a clip at the sampling rate of the file.

    Sample 0 is at the start of the clip. Gaps, and the time before a late start of the sound, are filled with silence.

    Args:
        clip: The file and the time range.

    Raises:
        MediaProblem: The file is missing, corrupt or has no audio track; the clip is digital silence, longer than ten
            minutes, or more than half of it is missing.
        MissingDependencyError: PyAV is not installed.
    """
    start, end = time_range(clip)
    length = LONGEST if end is None else end - start
    if length > LONGEST:
        raise MediaProblem(f"longer than {LONGEST / 60:.0f} minutes")
    sound = _read_sound(clip.path, start, length, seek=True) if start > PREROLL else None
    if sound is None or sound.begins > GAP:  # the file is not seekable, or seeking went too far
        sound = _read_sound(clip.path, start, length, seek=False)
    if sound is None or not sound.pieces:
        raise MediaProblem(f"ends before {start:.2f} s" if start else "no sound in its audio track")
    if end is None and sound.complete:
        raise MediaProblem(f"longer than {LONGEST / 60:.0f} minutes")
    samples = sound.joined()
    heard = sum(piece.shape[1] for _, piece in sound.pieces) / sound.rate
    if sound.corrupt and heard < ENOUGH * samples.shape[1] / sound.rate:
        raise MediaProblem("corrupt")
    if end is None and heard < ENOUGH * (sound.stated - start) and not sound.estimated(start):
        raise MediaProblem(f"truncated: {heard:.2f} of {sound.stated - start:.2f} s exist")
    if end is not None and samples.shape[1] < ENOUGH * length * sound.rate:
        raise MediaProblem(f"ends before {end:.2f} s")
    if np.abs(samples).max() < SILENCE:
        raise MediaProblem("silence")
    return Audio(samples, sound.rate, sound.channels)


@dataclass(slots=True)
class _Sound:
    """The decoded sound of a clip."""

    rate: int = 0
    pieces: list[tuple[int, Samples]] = field(default_factory=list)
    """(first sample in the clip, [channels, n]), in order, without overlap."""
    begins: float = math.inf
    """Seconds from the start of the clip to the first decoded sample; negative if decoding started before the clip."""
    complete: bool = False
    """Whether the whole clip was decoded; False if the file ended before."""
    corrupt: bool = False
    """Whether parts of the file could not be decoded."""
    stated: float = 0.0
    """The duration in seconds that the file specifies, or 0."""
    bit_rate: int = 0
    """The bits per second that the file specifies, or 0."""
    size: int = 0
    """The bytes of the packets that were read."""
    channels: tuple[str, ...] = ()
    """See `Audio.channels`."""

    def estimated(self, start: float) -> bool:
        """Whether the specified duration is only the file size divided by the bit rate of the first frame.

        This is the case for MP3 with a variable bit rate and no header. The duration is unreliable then.
        """
        estimate = 8 * self.size / self.bit_rate if self.bit_rate else math.inf
        return abs(self.stated - start - estimate) < 0.02 * self.stated + PREROLL

    def counted(self, packets: Iterator[Packet[Any] | None]) -> Iterator[Packet[Any] | None]:
        """Yield packets and add their bytes to `size`."""
        for packet in packets:
            self.size += packet.size if packet else 0
            yield packet

    def joined(self) -> Samples:
        """[channels, n], with silence between the pieces."""
        first, last = self.pieces[-1]
        whole = np.zeros((last.shape[0], first + last.shape[1]), dtype=np.float32)
        for first, piece in self.pieces:
            whole[:, first : first + piece.shape[1]] = piece
        return whole


def _read_sound(path: Path, start: float, length: float, *, seek: bool) -> _Sound | None:
    """Decode a time range (in seconds); None if the file is not seekable."""
    sound = _Sound()
    with open_media(path) as container:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaProblem("no audio track")
        zero = origin(container, stream) + start
        sound.bit_rate = stream.codec_context.bit_rate or 0
        sound.stated = float((stream.duration or 0) * (stream.time_base or 0))
        if not sound.stated and len(container.streams) == 1:  # otherwise this is the duration of the pictures
            sound.stated = (container.duration or 0) / 1_000_000 - origin(container, stream)
        if seek and not seek_to(container, stream, zero - PREROLL):
            return None
        place = 0  # the start of the next frame, in samples from the start of the clip
        for frame in frames(sound.counted(packets(container, stream))):
            if frame is None:
                sound.corrupt = True
                continue
            piece = scaled(frame)
            stamp = None if frame.time is None else frame.time - zero
            if not sound.rate:
                sound.rate, channels = frame.sample_rate, piece.shape[0]
                sound.channels = tuple(channel.name for channel in frame.layout.channels)
                size = round(length * sound.rate)
                sound.begins = -start if stamp is None else stamp
                if seek and stamp is None:
                    return None
                place = round(sound.begins * sound.rate)
            elif stamp is not None and stamp - place / sound.rate > GAP:
                place = round(stamp * sound.rate)
            if (frame.sample_rate, piece.shape[0]) != (sound.rate, channels):
                raise MediaProblem("its audio format changes within the file")
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


def scaled(frame: AudioFrame) -> Samples:
    """A frame's samples as float32 [channels, n] in [-1, 1]."""
    packed: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        packed = packed.reshape(-1, frame.layout.nb_channels).T  # the channels of a sample are adjacent
    samples: Samples = np.ascontiguousarray(packed, dtype=np.float32)
    if packed.dtype == np.uint8:
        return (samples - 128) / np.float32(128)
    if np.issubdtype(packed.dtype, np.integer):
        return samples / np.float32(2 ** (8 * packed.dtype.itemsize - 1))
    return samples
