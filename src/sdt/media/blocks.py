"""The sound of a long recording in blocks, so that its memory does not grow with its length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from sdt.media.audio import GAP, Audio, Samples, scaled
from sdt.media.clip import MediaProblem, frames, open_media, origin, packets

if TYPE_CHECKING:
    from av import AudioStream

LONGEST_GAP = 3600.0
"""A jump of the time stamps by more seconds is an error of the file, not a silence."""
LONGEST = 24 * 3600.0
"""Seconds of a recording; longer ones must be split."""


def audio_blocks(path: Path, seconds: float) -> Iterator[Audio]:
    """Decode a recording from its start to its end.

    Gaps are filled with silence; damaged packets are left out.

    Args:
        path: The recording.
        seconds: The duration of a block; the last one is shorter.

    Yields:
        Blocks of all channels, at the sampling rate of the file.

    Raises:
        MediaProblem: The file is missing, corrupt or has no audio track, or its sound changes its format.
        MissingDependencyError: PyAV is not installed.
    """
    with open_media(path) as container:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaProblem("no audio track")
        zero = origin(container, stream)
        waiting: list[Samples] = []
        held, place, rate, names = 0, 0, 0, ()  # samples in `waiting`; samples so far
        for frame in frames(packets(container, stream)):
            if frame is None:
                continue
            piece = scaled(frame)
            if not rate:
                rate, names = frame.sample_rate, tuple(channel.name for channel in frame.layout.channels)
            if (frame.sample_rate, piece.shape[0]) != (rate, len(names)):
                raise MediaProblem("its sound changes its format midway")
            size = round(seconds * rate)
            gap = 0.0 if frame.time is None else frame.time - zero - place / rate
            for part in itertools.chain(_silence(round(gap * rate), len(names), size, gap), [piece]):
                waiting.append(part)
                held, place = held + part.shape[1], place + part.shape[1]
                if place > LONGEST * rate:
                    raise MediaProblem(f"longer than {LONGEST / 3600:.0f} hours")
                while held >= size:
                    whole = np.concatenate(waiting, axis=1)
                    yield Audio(whole[:, :size], rate, names)
                    waiting, held = [whole[:, size:]], held - size
        if held:
            yield Audio(np.concatenate(waiting, axis=1), rate, names)
        if not place:
            raise MediaProblem("no sound in its audio track")


def _silence(samples: int, channels: int, size: int, gap: float) -> Iterator[Samples]:
    """Silence of so many samples, in parts of at most `size`; nothing for what is no gap."""
    left = samples if GAP < gap < LONGEST_GAP else 0
    while left > 0:
        yield np.zeros((channels, min(left, size)), dtype=np.float32)
        left -= size
