"""Pitch of a voice, frame by frame, by autocorrelation and a path of least cost through its candidates.

After P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17 (1993). The formula: the autocorrelation of a windowed frame, divided by the
autocorrelation of the window, estimates that of the sound itself; its highest peak lies at the period, with a height of
the share of the power that is periodic. The constants of `Search` are the paper's, but for a wider range.
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

FINER = 2
"""Steps of lag per sample. With one, the peak of a high pitch falls between two, and an octave below wins."""
BLOCK = 1000
"""Frames analysed at once, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Search:
    """What pitch is looked for, and what a path through the candidates costs."""

    floor: float = 65.0
    """Hz; low male voices. A frame is three of its periods long."""
    ceiling: float = 600.0
    """Hz; a shout or a shriek."""
    candidates: int = 6
    """Peaks of the autocorrelation kept per frame."""
    voicing: float = 0.45
    """How periodic a frame must be, all else being equal, to be voiced."""
    silence: float = 0.03
    """Frames whose peak is below this share of the loudest one lean to unvoiced."""
    middle: bool = False
    """A frame's peak is that of its middle period under the window; otherwise that of the whole frame."""
    octave: float = 0.01
    """Preference for the higher of two equally good candidates, per octave from `reference` on."""
    reference: float | None = None
    """Hz; None for the floor, as in the paper. Any higher, and voice needs to be a little more periodic."""
    jump: float = 0.35
    """Cost of a jump, per octave and hundredth of a second."""
    turn: float = 0.14
    """Cost of a change between voiced and unvoiced."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """The track, one value per frame."""

    hertz: Array
    """[T]; 0 where unvoiced."""
    periodicity: Array
    """[T]; the share of a frame's power that repeats with the period, in (0, 1); 0 where unvoiced."""

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """[T]; the frames that have a pitch."""
        return self.hertz > 0


@dataclass(frozen=True, slots=True)
class Voice(Pitch):
    """The track, and the quality of the voice."""

    prominence: Array
    """[T]; dB by which the cepstral peak stands above the line through the cepstrum, voiced or not."""
    tilt: Array
    """[T]; dB between the first and the second harmonic; 0 where unvoiced."""


class _Candidates(NamedTuple):
    """What the path may go through in t frames."""

    lag: Array
    """[t, K] samples; 0 for none."""
    height: Array
    """[t, K] of the peaks."""
    loudest: Array
    """[t]; the frame's peak, as a share of the sound's."""


def track_pitch(samples: Array, rate: int, centres: Centres, search: Search | None = None) -> Pitch:
    """Follow the pitch of one voice.

    Args:
        samples: [n].
        rate: Samples per second.
        centres: [T], the samples around which the frames lie, evenly spaced; the sound is silent beyond its ends.
        search: What is looked for.
    """
    search = search or Search()
    found = [candidates for candidates, _ in _analyse(samples, rate, centres, search)]
    return Pitch(*_path(found, rate, centres, search))


def track_voice(samples: Array, rate: int, centres: Centres) -> Voice:
    """Follow the pitch of one voice and its quality; the arguments are those of `track_pitch`."""
    search = Search()
    found, prominence, spectra = [], [], []
    for candidates, power in _analyse(samples, rate, centres, search):
        found.append(candidates)
        size = 2 * (power.shape[1] - 1)
        decibels = 10 * np.log10(power + 1e-12 * (1 + power.max(axis=1, keepdims=True)))
        prominence.append(_cepstral_prominence(decibels, int(rate / search.ceiling), int(rate / search.floor) + 2))
        spectra.append(decibels[:, : int(2.2 * search.ceiling * size / rate) + 2].astype(np.float32))
    hertz, periodicity = _path(found, rate, centres, search)
    return Voice(hertz, periodicity, np.concatenate(prominence), _tilt(np.concatenate(spectra), hertz * size / rate))


def _analyse(samples: Array, rate: int, centres: Centres, search: Search) -> Iterator[tuple[_Candidates, Array]]:
    """Candidates and power spectra [t, F], block by block."""
    width = round(3 * rate / search.floor)  # three periods of the lowest pitch
    size = 1 << (width + int(rate / search.floor)).bit_length()  # room for the longest lag
    window = np.hanning(width + 2)[1:-1].astype(np.float32)
    lags = np.arange(int(FINER * rate / search.ceiling), int(FINER * rate / search.floor) + 2)  # in steps
    of_window = fft.irfft(np.abs(fft.rfft(window, size)) ** 2, FINER * size)[: lags[-1] + 1]
    of_window /= of_window[0]
    loudest = float(np.abs(samples).max(initial=0.0)) or 1.0
    padded = np.pad((samples / loudest).astype(np.float32), (width, width))
    offsets = np.arange(width) - width // 2 + width
    middle = slice(width // 3, -(width // 3))
    for first in range(0, len(centres), BLOCK):
        frames = padded[centres[first : first + BLOCK, None] + offsets]
        frames = frames - frames.mean(axis=1, keepdims=True)
        power = np.abs(fft.rfft(frames * window, size)) ** 2
        correlation = fft.irfft(power, FINER * size)[:, : lags[-1] + 1]
        correlation /= np.maximum(correlation[:, :1], 1e-20) * of_window
        seen = frames[:, middle] * window[middle] if search.middle else frames
        lag, height = _peaks(correlation, lags, search)
        yield _Candidates(lag / FINER, height, np.abs(seen).max(axis=1)), power


def _peaks(correlation: Array, lags: Centres, search: Search) -> tuple[Array, Array]:
    """The highest peaks of each frame: lags (between the steps, by a parabola) and heights [t, K]; 0 for none."""
    before, here, after = correlation[:, lags[1:-1] - 1], correlation[:, lags[1:-1]], correlation[:, lags[1:-1] + 1]
    is_peak = (here > before) & (here >= after) & (here > 0.5 * search.voicing)
    ranked = np.where(is_peak, here, -1.0)
    best = np.argsort(-ranked, axis=1, kind="stable")[:, : search.candidates]
    rows = np.arange(len(best))[:, None]
    left, middle, right = before[rows, best], here[rows, best], after[rows, best]
    bend = np.where(is_peak[rows, best], left - 2 * middle + right, -1.0)
    shift = 0.5 * (left - right) / np.minimum(bend, -1e-12)
    found = is_peak[rows, best]
    lag = np.where(found, lags[1:-1][best] + np.clip(shift, -0.5, 0.5), 0.0)
    height = np.where(found, np.minimum(middle - 0.25 * (left - right) * shift, 1.0), 0.0)
    # A value above 1 is an artefact of the division; it is reflected, as the paper does.
    return lag, np.where(height > 1, 1 / np.maximum(height, 1), height)


def _path(found: Iterable[_Candidates], rate: int, centres: Centres, search: Search) -> tuple[Array, Array]:
    """The path of least cost through the candidates (Viterbi): Hz [T] and periodicity [T], 0 where unvoiced."""
    lag, height, loudest = (np.concatenate(parts) for parts in zip(*found, strict=True))
    count, kept = lag.shape
    there = lag > 0
    octaves = np.where(there, np.log2(rate / np.where(there, lag, 1.0)), 0.0)  # log2 of Hz
    gain = np.full((count, kept + 1), -np.inf)
    gain[:, 0] = search.voicing + np.maximum(0.0, 2 - loudest * (1 + search.voicing) / search.silence)
    gain[:, 1:] = np.where(
        there, height + search.octave * (octaves - np.log2(search.reference or search.floor)), -np.inf
    )
    step = float(centres[1] - centres[0]) / rate if len(centres) > 1 else 0.01
    scale = 0.01 / step
    best, came = gain[0], np.zeros((count, kept + 1), dtype=np.int64)
    cost = np.full((kept + 1, kept + 1), search.turn * scale)
    cost[0, 0] = 0
    for t in range(1, count):
        cost[1:, 1:] = search.jump * scale * np.abs(octaves[t - 1, :, None] - octaves[t])
        total = best[:, None] - cost
        came[t] = total.argmax(axis=0)
        best = total[came[t], np.arange(kept + 1)] + gain[t]
    state = int(best.argmax())
    hertz, periodicity = np.zeros(count), np.zeros(count)
    for t in range(count - 1, -1, -1):
        if state:
            hertz[t], periodicity[t] = 2.0 ** octaves[t, state - 1], height[t, state - 1]
        state = int(came[t, state])
    return hertz, periodicity


def _cepstral_prominence(decibels: Array, shortest: int, longest: int) -> Array:
    """Decibels [t] by which the highest cepstral peak of a possible period stands above the regression line there."""
    cepstrum = fft.irfft(decibels)[:, shortest:longest]
    level = 20 * np.log10(np.abs(cepstrum) + 1e-6)
    x = np.linspace(-1, 1, level.shape[1])
    slope = (level @ x) / (x @ x)
    peak = cepstrum.argmax(axis=1)
    rows = np.arange(len(level))
    prominence: Array = level[rows, peak] - level.mean(axis=1) - slope * x[peak]
    return prominence


def _tilt(decibels: npt.NDArray[np.float32], first: Array) -> Array:
    """Decibels [T] of the first harmonic (at the bin `first`, 0 where unvoiced) over the second."""
    near = np.arange(-1, 2)
    rows = np.arange(len(first))[:, None]
    last = decibels.shape[1] - 1
    levels = [
        decibels[rows, np.clip(np.rint(first * harmonic)[:, None].astype(np.int64) + near, 0, last)].max(axis=1)
        for harmonic in (1, 2)
    ]
    tilt: Array = np.where(first > 0, levels[0].astype(np.float64) - levels[1], 0.0)
    return tilt
