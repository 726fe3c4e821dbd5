"""The sound of a long recording in blocks, so that its memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from sdt.media.audio import GAP, Audio, Samples, scaled
from sdt.media.clip import MediaProblem, frames, open_media, origin, packets

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import InputContainer

LONGEST_GAP = 3600.0
"""A jump of the time stamps by more seconds is an error of the file, not a silence."""
LONGEST = 24 * 3600.0
"""The most seconds of a recording: time stamps of a small file can claim years."""


def audio_blocks(path: Path, seconds: float) -> Iterator[Audio]:
    """Decode a recording from its start to its end.

    Gaps are filled with silence; damaged packets are left out.

    Args:
        path: The recording.
        seconds: The duration of a block; the last one is shorter.

    Yields:
        Blocks of all channels, at the sampling rate of the file.

    Raises:
        MediaProblem: The file is missing, corrupt or has no audio track, its sound changes its
            format, or it is longer than a day.
        MissingDependencyError: PyAV is not installed.
    """
    with open_media(path) as container:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise MediaProblem("no audio track")
        waiting: list[Samples] = []
        held, size, last = 0, 0, None  # samples in `waiting`, in a block
        for last in _pieces(container, stream, seconds):
            size = round(seconds * last.rate)
            waiting.append(last.samples)
            held += last.samples.shape[1]
            while held >= size:
                whole = np.concatenate(waiting, axis=1)
                yield replace(last, samples=whole[:, :size])
                waiting, held = [whole[:, size:]], held - size
        if last is None:
            raise MediaProblem("no sound in its audio track")
        if held:
            yield replace(last, samples=np.concatenate(waiting, axis=1))


def _pieces(container: InputContainer, stream: AudioStream, seconds: float) -> Iterator[Audio]:
    """Frames, and the silence between them in pieces of at most so many seconds."""
    zero = origin(container, stream)
    place, rate, names = 0, 0, ()  # samples so far
    for frame in frames(packets(container, stream)):
        if frame is None:
            continue
        piece = scaled(frame)
        if not rate:
            rate, names = frame.sample_rate, tuple(channel.name for channel in frame.layout.channels)
        if (frame.sample_rate, piece.shape[0]) != (rate, len(names)):
            raise MediaProblem("its sound changes its format midway")
        gap = 0.0 if frame.time is None else frame.time - zero - place / rate
        silence = round(gap * rate) if GAP < gap < LONGEST_GAP else 0
        place += silence + piece.shape[1]
        if place > LONGEST * rate:
            raise MediaProblem(f"longer than {LONGEST / 3600:.0f} hours")
        while silence:
            part = min(silence, round(seconds * rate))
            yield Audio(np.zeros((len(names), part), dtype=np.float32), rate, names)
            silence -= part
        if piece.shape[1]:
            yield Audio(piece, rate, names)
