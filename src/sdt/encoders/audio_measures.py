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

from sdt.encoders.audio_pitch import BLOCK, LAG_STEPS, Array, Centres, PitchSettings, track_pitch

REFERENCE = 4e-10
"""The mean square of a sound of 0 dB: 20 micropascal, where a sample of 1 is one pascal."""
SIDE_LOBES = 2 * np.pi**2 + 0.5
"""The shape of a Kaiser window with side lobes below -190 dB."""
SILENCE = 0.1
"""Frames whose peak amplitude is below this fraction of the maximum tend to be silent."""
SHORTEST_LAG = 2
"""Samples; shorter periods are above the Nyquist frequency."""


def frame_times(size: int, rate: int, window: float, step: float) -> Array:
    """The middles [T] of the frames of a sound in seconds; frames are placed symmetrically.

    Args:
        size: The number of samples of the sound, at least one window.
        rate: Samples per second.
        window: The length of a frame in seconds.
        step: The distance of frames in seconds.
    """
    # Not size / rate: if a whole number of frames fits, the count depends on rounding, which must be that of Praat.
    seconds = size * (1 / rate)
    count = int((seconds - window) / step) + 1
    times: Array = seconds / 2 + (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step
    return times


def frame_centres(times: Array, rate: int) -> Centres:
    """The samples [T] nearest to times in seconds [T]."""
    return np.rint(times * rate).astype(np.int64)


def intensity(samples: Array, rate: int, floor: float) -> tuple[Array, Array]:
    """The intensity in dB [T], and its times in seconds [T].

    It is the mean of the squared samples, after subtraction of the mean, under a Kaiser window of effectively 3.2
    periods of the lowest pitch, which is long enough to remove the ripple of the pitch.

    Args:
        samples: [n].
        rate: Samples per second.
        floor: The lowest pitch in Hz; a frame has 6.4 of its periods, and frames are 0.8 periods apart.
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
    """The harmonics-to-noise ratio in dB of the frames that are not silent; frames are 10 ms apart.

    10 log10(r / (1 - r)), where r is the highest peak of the normalised cross-correlation between a period of the
    lowest pitch and the following samples (P. Boersma, "Accurate short-term analysis of the fundamental frequency and
    the harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17 (1993), for autocorrelation). A frame is silent
    if the unvoiced candidate of the paper, with a voicing threshold of 0, is stronger.

    Args:
        samples: [n].
        rate: Samples per second.
        floor: The lowest pitch in Hz; a frame has two of its periods.

    Returns:
        [at most T]; empty if all frames are silent.
    """
    period = int(rate / floor)
    loudest = float(np.abs(samples).max(initial=0.0)) or 1.0
    padded = np.pad(samples / loudest, 2 * period)
    starts = frame_centres(frame_times(len(samples), rate, 2 / floor, 0.01), rate) + period
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
    """The correlation of the first period of each frame with later ones: [t, LAG_STEPS * period + 1], in [-1, 1]."""
    size = fft.next_fast_len(frames.shape[1] + period, real=True)
    product = fft.rfft(frames[:, :period], size).conj() * fft.rfft(frames, size)
    correlation = LAG_STEPS * fft.irfft(product, LAG_STEPS * size)[:, : LAG_STEPS * period + 1]
    total = np.cumsum(np.pad(frames, ((0, 0), (1, 0))) ** 2, axis=1)
    energy = total[:, period : 2 * period + 1] - total[:, : period + 1]  # at integer lags
    whole, part = np.divmod(np.arange(LAG_STEPS * period + 1), LAG_STEPS)
    share = part / LAG_STEPS
    between = energy[:, whole] * (1 - share) + energy[:, np.minimum(whole + 1, period)] * share
    normalised: Array = correlation / np.sqrt(np.maximum(energy[:, :1] * between, 1e-20))
    return normalised


def _highest_peak(correlation: Array) -> Array:
    """The height [t] of the highest peak of each frame, interpolated by a parabola; 0 for no peak."""
    inside = correlation[:, SHORTEST_LAG * LAG_STEPS :]
    left, here, right = inside[:, :-2], inside[:, 1:-1], inside[:, 2:]
    is_peak = (here > left) & (here >= right)
    bend = np.where(is_peak, 2 * here - left - right, 1.0)
    height = np.where(is_peak, here + (left - right) ** 2 / (8 * np.maximum(bend, 1e-12)), 0.0)
    highest: Array = height.max(axis=1, initial=0.0)
    # A value above 1 is an artefact of the interpolation; it is reflected, as in the paper.
    return np.where(highest > 1, 1 / np.maximum(highest, 1), highest)


RANGE = 25.0
"""Syllable peaks are at most this much below the loud frames (99 %), in dB."""
DIP = 2.0
"""The intensity falls at least this much between two syllables, in dB."""
PAUSE = 0.3
"""The shortest pause in seconds; shorter silence is part of speech."""
BURST = 0.1
"""Shorter sounds between silences are not speech, in seconds."""
FLOOR = 50.0
"""The lowest pitch whose ripple the intensity contour removes, in Hz."""
VOICE = PitchSettings(
    floor=30,
    ceiling=450,
    candidates=14,
    voicing_threshold=0.25,
    transition_cost=0.25,
    reference=450,
    middle_period=True,
)
"""The pitch settings of the published script, in frames of 0.1 s, except for the number of candidates: with the four of
the script, many frames keep subharmonics only."""
STEP = 0.02
"""The distance of the frames for `VOICE` in seconds."""


def count_syllables(samples: Array, rate: int) -> tuple[int, float]:
    """Count the syllables, and measure the seconds of speech.

    Args:
        samples: [n], at least 1/7 s, with mean 0.
        rate: Samples per second.

    Returns:
        The number of syllables, and the total duration of speech in seconds.
    """
    level, times = intensity(samples, rate, FLOOR)
    threshold = float(np.quantile(level, 0.99, method="hazen")) - RANGE
    spoken = speech_intervals(level, times, len(samples) / rate, threshold)
    peaks = times[syllable_peaks(level, max(threshold, float(level.min())))]
    frames = frame_times(len(samples), rate, 3 / VOICE.floor, STEP)
    voiced = track_pitch(samples, rate, frame_centres(frames, rate), VOICE).voiced
    nearest = np.rint((peaks - frames[0]) / STEP).astype(np.int64)
    is_voiced = (nearest >= 0) & (nearest < len(frames))
    is_voiced[is_voiced] = voiced[nearest[is_voiced]]
    inside = np.array([any(start <= peak <= end for start, end in spoken) for peak in peaks], dtype=np.bool_)
    return int((is_voiced & inside).sum()), sum(end - start for start, end in spoken)


def syllable_peaks(level: Array, threshold: float) -> list[int]:
    """The frames of the peaks of the level [T] that are above a threshold and followed by a dip of more than `DIP`."""
    inner = level[1:-1]
    peaks = np.flatnonzero((inner > level[:-2]) & (inner >= level[2:]) & (inner > threshold)) + 1
    return [int(here) for here, after in itertools.pairwise(peaks) if level[here] - level[here:after].min() > DIP]


def speech_intervals(level: Array, times: Array, seconds: float, threshold: float) -> list[tuple[float, float]]:
    """The intervals of speech (start, end) in seconds: frames above a threshold, without bursts and short silences.

    Args:
        level: [T].
        times: [T] in seconds.
        seconds: The duration of the sound.
        threshold: In the unit of the level.
    """
    loud = level >= threshold
    for value, shortest in ((True, BURST), (False, PAUSE)):
        for first, last, start, end in _runs(loud, times, seconds):
            if loud[first] == value and end - start < shortest:
                loud[first:last] = not value
    return [(start, end) for first, _, start, end in _runs(loud, times, seconds) if loud[first]]


def _runs(loud: npt.NDArray[np.bool_], times: Array, seconds: float) -> list[tuple[int, int, float, float]]:
    """Runs of equal values: first frame, the frame after the last, start and end in seconds."""
    edges = np.flatnonzero(np.diff(loud)) + 1
    bounds = [0.0, *times[edges].tolist(), seconds]
    frames = [0, *edges.tolist(), len(loud)]
    return list(zip(frames[:-1], frames[1:], bounds[:-1], bounds[1:], strict=True))
