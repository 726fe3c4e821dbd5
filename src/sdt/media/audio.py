"""Sound out of media files: decoded and cut by time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from sdt.media.clip import Clip, MediaProblem, frames, open_media, origin, packets, seek_to, stretch

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet

Samples = npt.NDArray[np.float32]

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
ENOUGH = 0.5
"""The share of the asked stretch that must be there: transcripts often end a little after the recording does."""
CANCELLED = 0.1
"""The power of a mix, as a share of its loudest channel's, below which the channels cancel each other: two unrelated
channels of equal level give 0.5, one of two gives 0.25."""
GAINS = {"FL": 0.5, "FR": 0.5, "FC": 0.5**0.5, "LFE": 0.0, "LFE2": 0.0} | dict.fromkeys(
    ("BL", "BR", "SL", "SR", "BC", "FLC", "FRC"), 0.5**1.5
)
"""The share of each channel of surround sound in the mono mix: the mean of the two channels that ITU-R BS.775 mixes it
down to. Speech from the centre is as loud as it is in the stereo mix."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Decoded sound."""

    samples: Samples
    """[channels, n], in [-1, 1]."""
    rate: int
    """Samples per second."""
    channels: tuple[str, ...] = ()
    """[channels] where each is to be heard (`FL`, `FC`, `LFE`, ...); empty where the file does not say."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return float(self.samples.shape[1] / self.rate)

    def mono(self, rate: int | None = None) -> Samples:
        """The channels mixed, resampled to `rate` where one is given: float32 [n].

        Surround sound is mixed by its layout (see `GAINS`), other sound by the mean. Where the channels cancel each
        other (opposite phase, or one microphone among many silent channels), the loudest channel is taken instead.
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
    """Decode a clip's sound, every channel, at the file's own rate.

    Sample 0 lies at the clip's start. Silence stands where the sound begins later than the recording or has a gap.

    Args:
        clip: The file and the stretch of it.

    Raises:
        MediaProblem: There is no sound to be had: no such file, no audio track, nothing but digital silence, the file
            is corrupt, ends before half of the stretch is over, or the stretch is longer than ten minutes.
        MissingDependencyError: PyAV is not installed.
    """
    start, end = stretch(clip)
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
    if end is None and heard < ENOUGH * (sound.stated - start) and not sound.estimated(start):
        raise MediaProblem(f"cut off: {heard:.2f} of {sound.stated - start:.2f} s are there")
    if end is not None and samples.shape[1] < ENOUGH * length * sound.rate:
        raise MediaProblem(f"ends before {end:.2f} s")
    if np.abs(samples).max() < SILENCE:
        raise MediaProblem("silence")
    return Audio(samples, sound.rate, sound.channels)


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
    bit_rate: int = 0
    """Bits per second as the file says, where it does."""
    size: int = 0
    """Bytes of the packets that were read."""
    channels: tuple[str, ...] = ()
    """See `Audio.channels`."""

    def estimated(self, start: float) -> bool:
        """Whether the stated duration is only the size by the bit rate of the first frame.

        So it is for MP3 with a variable bit rate and no header. Then it says nothing of what is missing.
        """
        estimate = 8 * self.size / self.bit_rate if self.bit_rate else math.inf
        return abs(self.stated - start - estimate) < 0.02 * self.stated + PREROLL

    def counted(self, packets: Iterator[Packet[Any] | None]) -> Iterator[Packet[Any] | None]:
        """The packets, their bytes added to `size`."""
        for packet in packets:
            self.size += packet.size if packet else 0
            yield packet

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
    with open_media(path) as container:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaProblem("no audio track")
        zero = origin(container, stream) + start
        sound.bit_rate = stream.codec_context.bit_rate or 0
        sound.stated = float((stream.duration or 0) * (stream.time_base or 0))
        if not sound.stated and len(container.streams) == 1:  # else it is how long the pictures last
            sound.stated = (container.duration or 0) / 1_000_000 - origin(container, stream)
        if seek and not seek_to(container, stream, zero - PREROLL):
            return None
        place = 0  # where the next frame begins, in samples from the stretch's start
        for frame in frames(sound.counted(packets(container, stream))):
            if frame is None:
                sound.corrupt = True
                continue
            piece = _scaled(frame)
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
