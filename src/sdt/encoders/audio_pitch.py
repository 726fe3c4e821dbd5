"""Pitch tracking by autocorrelation, with a Viterbi search through the candidates of all frames.

The method: r(lag) = r_windowed(lag) / r_window(lag), the autocorrelation of a windowed frame divided by that of the
window, estimates the autocorrelation of the sound. The position of its highest peak is the period, and its height is
the fraction of the power that is periodic.

References:
    P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
    sound", IFA Proceedings 17 (1993). The defaults of `PitchSettings` are those of the paper, except for a wider range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

Array = npt.NDArray[np.float64]
Centres = npt.NDArray[np.int64]

LAG_STEPS = 2
"""Lags per sample. With one, the peak of a high pitch falls between two lags, and the octave below is found."""
BLOCK = 1000
"""The number of frames that are analysed together, which limits the memory."""


@dataclass(frozen=True, slots=True)
class PitchSettings:
    """The pitch range, and the costs of a path through the candidates."""

    floor: float = 65.0
    """The lowest pitch in Hz: low male voices. A frame has three of its periods."""
    ceiling: float = 600.0
    """The highest pitch in Hz: shouts."""
    candidates: int = 6
    """The number of peaks of the autocorrelation that are kept for each frame."""
    voicing_threshold: float = 0.45
    """The periodicity above which a frame is voiced, all else being equal."""
    silence_threshold: float = 0.03
    """Frames whose peak amplitude is below this fraction of the maximum tend to be unvoiced."""
    middle_period: bool = False
    """Whether the peak amplitude of a frame is that of its middle period under the window, or of the whole frame."""
    octave_cost: float = 0.01
    """The preference for the higher of two equally good candidates, per octave above `reference`."""
    reference: float | None = None
    """Hz; None uses the floor, as in the paper. A higher value makes fewer frames voiced."""
    octave_jump_cost: float = 0.35
    """The cost of a change of pitch, per octave and 10 ms."""
    transition_cost: float = 0.14
    """The cost of a change between voiced and unvoiced, per 10 ms."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """The pitch of each of T frames."""

    hertz: Array
    """[T]; 0 for unvoiced frames."""
    periodicity: Array
    """[T] the periodic fraction of the power, in (0, 1); 0 for unvoiced frames."""

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """[T] whether the frame has a pitch."""
        return self.hertz > 0


@dataclass(frozen=True, slots=True)
class Voice(Pitch):
    """The pitch and voice quality of each of T frames."""

    prominence: Array
    """[T] the cepstral peak prominence in dB: the height of the cepstral peak above the regression line."""
    tilt: Array
    """[T] the first harmonic minus the second in dB; 0 for unvoiced frames."""


class _Candidates(NamedTuple):
    """The K pitch candidates of each of t frames."""

    lag: Array
    """[t, K] the period in samples; 0 for no candidate."""
    height: Array
    """[t, K] the height of the autocorrelation peak."""
    loudest: Array
    """[t] the peak amplitude of the frame as a fraction of that of the sound."""


def track_pitch(samples: Array, rate: int, centres: Centres, settings: PitchSettings | None = None) -> Pitch:
    """Track the pitch of one voice.

    Args:
        samples: [n].
        rate: Samples per second.
        centres: [T] the middle samples of the frames, evenly spaced; the sound is zero beyond its ends.
        settings: The range and the costs; None uses the defaults.
    """
    settings = settings or PitchSettings()
    found = [candidates for candidates, _ in _analyse(samples, rate, centres, settings)]
    return Pitch(*_path(found, rate, centres, settings))


def track_voice(samples: Array, rate: int, centres: Centres) -> Voice:
    """Track the pitch and quality of one voice; see `track_pitch` for the arguments."""
    settings = PitchSettings()
    found, prominence, spectra = [], [], []
    for candidates, power in _analyse(samples, rate, centres, settings):
        found.append(candidates)
        size = 2 * (power.shape[1] - 1)
        decibels = 10 * np.log10(power + 1e-12 * (1 + power.max(axis=1, keepdims=True)))
        prominence.append(_cepstral_prominence(decibels, int(rate / settings.ceiling), int(rate / settings.floor) + 2))
        spectra.append(decibels[:, : int(2.2 * settings.ceiling * size / rate) + 2].astype(np.float32))
    hertz, periodicity = _path(found, rate, centres, settings)
    return Voice(hertz, periodicity, np.concatenate(prominence), _tilt(np.concatenate(spectra), hertz * size / rate))


def _analyse(
    samples: Array, rate: int, centres: Centres, settings: PitchSettings
) -> Iterator[tuple[_Candidates, Array]]:
    """Yield the candidates and power spectra [t, F] of blocks of t frames."""
    width = round(3 * rate / settings.floor)  # three periods of the lowest pitch
    size = 1 << (width + int(rate / settings.floor)).bit_length()  # includes the longest lag
    window = np.hanning(width + 2)[1:-1].astype(np.float32)
    lags = np.arange(int(LAG_STEPS * rate / settings.ceiling), int(LAG_STEPS * rate / settings.floor) + 2)  # in steps
    of_window = fft.irfft(np.abs(fft.rfft(window, size)) ** 2, LAG_STEPS * size)[: lags[-1] + 1]
    of_window /= of_window[0]
    loudest = float(np.abs(samples).max(initial=0.0)) or 1.0
    padded = np.pad((samples / loudest).astype(np.float32), (width, width))
    offsets = np.arange(width) - width // 2 + width
    middle = slice(width // 3, -(width // 3))
    for first in range(0, len(centres), BLOCK):
        frames = padded[centres[first : first + BLOCK, None] + offsets]
        frames = frames - frames.mean(axis=1, keepdims=True)
        power = np.abs(fft.rfft(frames * window, size)) ** 2
        correlation = fft.irfft(power, LAG_STEPS * size)[:, : lags[-1] + 1]
        correlation /= np.maximum(correlation[:, :1], 1e-20) * of_window
        seen = frames[:, middle] * window[middle] if settings.middle_period else frames
        lag, height = _peaks(correlation, lags, settings)
        yield _Candidates(lag / LAG_STEPS, height, np.abs(seen).max(axis=1)), power


def _peaks(correlation: Array, lags: Centres, settings: PitchSettings) -> tuple[Array, Array]:
    """The highest peaks of each frame: lags [t, K] (interpolated by a parabola) and heights [t, K]; 0 for no peak."""
    before, here, after = correlation[:, lags[1:-1] - 1], correlation[:, lags[1:-1]], correlation[:, lags[1:-1] + 1]
    is_peak = (here > before) & (here >= after) & (here > 0.5 * settings.voicing_threshold)
    ranked = np.where(is_peak, here, -1.0)
    best = np.argsort(-ranked, axis=1, kind="stable")[:, : settings.candidates]
    rows = np.arange(len(best))[:, None]
    left, middle, right = before[rows, best], here[rows, best], after[rows, best]
    bend = np.where(is_peak[rows, best], left - 2 * middle + right, -1.0)
    shift = 0.5 * (left - right) / np.minimum(bend, -1e-12)
    found = is_peak[rows, best]
    lag = np.where(found, lags[1:-1][best] + np.clip(shift, -0.5, 0.5), 0.0)
    height = np.where(found, np.minimum(middle - 0.25 * (left - right) * shift, 1.0), 0.0)
    # A value above 1 is an artefact of the division; it is reflected, as in the paper.
    return lag, np.where(height > 1, 1 / np.maximum(height, 1), height)


def _path(found: Iterable[_Candidates], rate: int, centres: Centres, settings: PitchSettings) -> tuple[Array, Array]:
    """The path of least cost through the candidates (Viterbi): Hz [T] and periodicity [T], 0 for unvoiced frames."""
    lag, height, loudest = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count, kept = lag.shape
    has_candidate = lag > 0
    octaves = np.where(has_candidate, np.log2(rate / np.where(has_candidate, lag, 1.0)), 0.0)  # log2 of Hz
    gain = np.full((count, kept + 1), -np.inf)
    gain[:, 0] = settings.voicing_threshold + np.maximum(
        0.0, 2 - loudest * (1 + settings.voicing_threshold) / settings.silence_threshold
    )
    gain[:, 1:] = np.where(
        has_candidate,
        height + settings.octave_cost * (octaves - np.log2(settings.reference or settings.floor)),
        -np.inf,
    )
    step = float(centres[1] - centres[0]) / rate if len(centres) > 1 else 0.01
    scale = 0.01 / step
    best, origin = gain[0], np.zeros((count, kept + 1), dtype=np.int64)
    cost = np.full((kept + 1, kept + 1), settings.transition_cost * scale)
    cost[0, 0] = 0
    for t in range(1, count):
        cost[1:, 1:] = settings.octave_jump_cost * scale * np.abs(octaves[t - 1, :, None] - octaves[t])
        total = best[:, None] - cost
        origin[t] = total.argmax(axis=0)
        best = total[origin[t], np.arange(kept + 1)] + gain[t]
    state = int(best.argmax())
    hertz, periodicity = np.zeros(count), np.zeros(count)
    for t in range(count - 1, -1, -1):
        if state:
            hertz[t], periodicity[t] = 2.0 ** octaves[t, state - 1], height[t, state - 1]
        state = int(origin[t, state])
    return hertz, periodicity


def _cepstral_prominence(decibels: Array, shortest: int, longest: int) -> Array:
    """The height [t] of the cepstral peak above the regression line, in dB; periods in samples."""
    cepstrum = fft.irfft(decibels)[:, shortest:longest]
    level = 20 * np.log10(np.abs(cepstrum) + 1e-6)
    x = np.linspace(-1, 1, level.shape[1])
    slope = (level @ x) / (x @ x)
    peak = cepstrum.argmax(axis=1)
    rows = np.arange(len(level))
    prominence: Array = level[rows, peak] - level.mean(axis=1) - slope * x[peak]
    return prominence


def _tilt(decibels: npt.NDArray[np.float32], first: Array) -> Array:
    """The level of the first harmonic (at the bin `first`; 0 for unvoiced frames) minus the second [T], in dB."""
    near = np.arange(-1, 2)
    rows = np.arange(len(first))[:, None]
    last = decibels.shape[1] - 1
    levels = [
        decibels[rows, np.clip(np.rint(first * harmonic)[:, None].astype(np.int64) + near, 0, last)].max(axis=1)
        for harmonic in (1, 2)
    ]
    tilt: Array = np.where(first > 0, levels[0].astype(np.float64) - levels[1], 0.0)
    return tilt
