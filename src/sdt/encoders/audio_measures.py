"""Intensity, harmonicity and syllables of speech, from their published definitions.

Intensity and harmonicity follow the manual of Praat; tests compare them with Praat. Frames are placed symmetrically in
the sound, and only where the whole window fits.

References:
    N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically", Behavior
    Research Methods 41 (2009): a syllable is a voiced peak of intensity that is loud enough and followed by a dip.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal.windows import kaiser

from sdt.encoders.audio_pitch import BLOCK, FINER, Array, Centres, Search, track_pitch

REFERENCE = 4e-10
"""Mean square of a sound of 0 dB: that of 20 micropascal, a sample of 1 taken for one pascal."""
SIDE_LOBES = 2 * np.pi**2 + 0.5
"""Shape of the Kaiser window whose side lobes lie below -190 dB."""
SILENCE = 0.1
"""Frames whose peak is below this share of the loudest one lean to silent."""
SHORTEST_LAG = 2
"""Samples; what repeats faster is above the half of the rate."""


def frame_times(size: int, rate: int, window: float, step: float) -> Array:
    """The middles [T] of the frames of a sound, in seconds, symmetric in it.

    Args:
        size: Samples of the sound; at least a window.
        rate: Samples per second.
        window: Seconds of a frame.
        step: Seconds from frame to frame.
    """
    # Not size / rate: where a whole number of frames fits, rounding decides, and it shall decide as in Praat.
    seconds = size * (1 / rate)
    count = int((seconds - window) / step) + 1
    times: Array = seconds / 2 + (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step
    return times


def centres(times: Array, rate: int) -> Centres:
    """The samples [T] that begin nearest to some times in seconds [T]."""
    return np.rint(times * rate).astype(np.int64)


def intensity(samples: Array, rate: int, floor: float) -> tuple[Array, Array]:
    """Level in dB, and its times in seconds, both [T], four or more per period of the floor.

    Squared samples, less the mean, smoothed by a Kaiser window: so long (effectively 3.2 periods of the lowest pitch)
    that a voice does not ripple at its pitch.

    Args:
        samples: [n].
        rate: Samples per second.
        floor: The lowest pitch in Hz; a frame is 6.4 of its periods long, and they are 0.8 periods apart.
    """
    times = frame_times(len(samples), rate, 6.4 / floor, 0.8 / floor)
    half = int(3.2 * rate / floor)
    window = kaiser(2 * half + 1, SIDE_LOBES)
    window /= window.sum()
    padded = np.pad(samples, half, mode="edge")
    middles = np.rint(times * rate - 0.5).astype(np.int64)
    powers = []
    for first in range(0, len(middles), BLOCK):
        frames = padded[middles[first : first + BLOCK, None] + np.arange(2 * half + 1)]
        powers.append((frames - frames.mean(axis=1, keepdims=True)) ** 2 @ window)
    level: Array = 10 * np.log10(np.maximum(np.concatenate(powers), 1e-30 * REFERENCE) / REFERENCE)
    return level, times


def harmonicity(samples: Array, rate: int, floor: float) -> Array:
    """Harmonics-to-noise ratio in dB of the frames that are not silent, one every hundredth of a second.

    10 log10(r / (1 - r)), where r is the highest peak of the normalised cross-correlation of a period of the lowest
    pitch with what follows it (P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17 (1993), for autocorrelation). A frame is silent
    where the paper's unvoiced candidate, with a voicing threshold of 0, is the stronger one.

    Args:
        samples: [n].
        rate: Samples per second.
        floor: The lowest pitch in Hz; a frame is two of its periods long.

    Returns:
        [at most T]; empty where all is silent.
    """
    period = int(rate / floor)
    loudest = float(np.abs(samples).max(initial=0.0)) or 1.0
    padded = np.pad(samples / loudest, 2 * period)
    starts = centres(frame_times(len(samples), rate, 2 / floor, 0.01), rate) + period
    found = []
    for first in range(0, len(starts), BLOCK):
        frames = padded[starts[first : first + BLOCK, None] + np.arange(2 * period + 2)]
        frames = frames - frames.mean(axis=1, keepdims=True)
        peak = np.abs(frames[:, period // 2 : -(period // 2)]).max(axis=1)
        repeats = _highest_peak(_cross_correlation(frames, period))
        found.append(repeats[repeats > np.maximum(0.0, 2 - peak / SILENCE)])
    share = np.concatenate(found)
    ratio: Array = 10 * np.log10(share / np.maximum(1 - share, 1e-10))
    return ratio


def _cross_correlation(frames: Array, period: int) -> Array:
    """Of each frame's first period with a period so many steps of lag later: [t, FINER * period + 1], from -1 to 1."""
    size = fft.next_fast_len(frames.shape[1] + period, real=True)
    product = fft.rfft(frames[:, :period], size).conj() * fft.rfft(frames, size)
    correlation = FINER * fft.irfft(product, FINER * size)[:, : FINER * period + 1]
    so_far = np.cumsum(np.pad(frames, ((0, 0), (1, 0))) ** 2, axis=1)
    energy = so_far[:, period : 2 * period + 1] - so_far[:, : period + 1]  # at whole lags
    whole, part = np.divmod(np.arange(FINER * period + 1), FINER)
    share = part / FINER
    between = energy[:, whole] * (1 - share) + energy[:, np.minimum(whole + 1, period)] * share
    normalised: Array = correlation / np.sqrt(np.maximum(energy[:, :1] * between, 1e-20))
    return normalised


def _highest_peak(correlation: Array) -> Array:
    """The height [t] of each frame's highest peak, by a parabola; 0 for none."""
    inside = correlation[:, SHORTEST_LAG * FINER :]
    left, here, right = inside[:, :-2], inside[:, 1:-1], inside[:, 2:]
    is_peak = (here > left) & (here >= right)
    bend = np.where(is_peak, 2 * here - left - right, 1.0)
    height = np.where(is_peak, here + (left - right) ** 2 / (8 * np.maximum(bend, 1e-12)), 0.0)
    highest: Array = height.max(axis=1, initial=0.0)
    # A value above 1 is an artefact of the interpolation; it is reflected, as in the paper.
    return np.where(highest > 1, 1 / np.maximum(highest, 1), highest)


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
