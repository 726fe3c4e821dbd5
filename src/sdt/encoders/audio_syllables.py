"""Syllables counted by their nuclei.

N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically", Behavior
Research Methods 41 (2009): a syllable is a peak of intensity that is loud enough, that a dip follows, and that is
voiced.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from sdt.encoders.audio_measures import centres, frame_times, intensity
from sdt.encoders.audio_pitch import Array, Search, track_pitch

RANGE = 25.0
"""dB below the loud frames (99 %) down to which a peak may be a syllable."""
DIP = 2.0
"""dB by which the intensity must fall between two syllables."""
PAUSE = 0.3
"""Seconds from which on silence is a pause, and no time of speech."""
BURST = 0.1
"""Seconds up to which sound between silences is no speech."""
FLOOR = 50.0
"""Hz; the lowest pitch that the intensity contour smooths away."""
VOICE = Search(floor=30, ceiling=450, candidates=14, voicing=0.25, turn=0.25, reference=450, middle=True)
"""How a peak's voice is looked for: easily found, seldom changing, in frames of a tenth of a second. The script keeps
four candidates; here more are kept, since the highest of many are subharmonics."""
STEP = 0.02
"""Seconds between them."""


def count_syllables(samples: Array, rate: int) -> tuple[int, float]:
    """Syllables, and seconds of speech.

    Args:
        samples: [n], a seventh of a second at least, of mean 0.
        rate: Samples per second.
    """
    level, times = intensity(samples, rate, FLOOR)
    threshold = float(np.quantile(level, 0.99, method="hazen")) - RANGE
    spoken = speech(level, times, len(samples) / rate, threshold)
    peaks = times[peaks_before_dips(level, max(threshold, float(level.min())))]
    frames = frame_times(len(samples), rate, 3 / VOICE.floor, STEP)
    voiced = track_pitch(samples, rate, centres(frames, rate), VOICE).voiced
    nearest = np.rint((peaks - frames[0]) / STEP).astype(np.int64)
    there = (nearest >= 0) & (nearest < len(frames))
    there[there] = voiced[nearest[there]]
    inside = np.array([any(start <= peak <= end for start, end in spoken) for peak in peaks], dtype=np.bool_)
    return int((there & inside).sum()), sum(end - start for start, end in spoken)


def peaks_before_dips(level: Array, threshold: float) -> list[int]:
    """Frames of the peaks above a threshold between which and the next peak the level [T] falls by `DIP`."""
    inner = level[1:-1]
    peaks = np.flatnonzero((inner > level[:-2]) & (inner >= level[2:]) & (inner > threshold)) + 1
    return [int(here) for here, after in itertools.pairwise(peaks) if level[here] - level[here:after].min() > DIP]


def speech(level: Array, times: Array, seconds: float, threshold: float) -> list[tuple[float, float]]:
    """Stretches of speech (start, end) in seconds: what is as loud as a threshold, without bursts and short silences.

    Args:
        level: [T].
        times: [T].
        seconds: Of the whole sound.
        threshold: In the level's unit.
    """
    loud = level >= threshold
    for what, shortest in ((True, BURST), (False, PAUSE)):
        for first, last, start, end in _stretches(loud, times, seconds):
            if loud[first] == what and end - start < shortest:
                loud[first:last] = not what
    return [(start, end) for first, _, start, end in _stretches(loud, times, seconds) if loud[first]]


def _stretches(loud: npt.NDArray[np.bool_], times: Array, seconds: float) -> list[tuple[int, int, float, float]]:
    """First frame, the frame after the last, start and end of the stretches in which nothing changes."""
    edges = np.flatnonzero(np.diff(loud)) + 1
    bounds = [0.0, *times[edges].tolist(), seconds]
    frames = [0, *edges.tolist(), len(loud)]
    return list(zip(frames[:-1], frames[1:], bounds[:-1], bounds[1:], strict=True))
