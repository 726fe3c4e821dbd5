"""Acoustic contours, measured every 10 ms; `audio_prosody` computes their statistics over the utterance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from sdt.encoders.audio_pitch import BLOCK, Voice, track_voice

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RATE = 16000
"""Samples per second."""
HOP = 160
"""The distance of frames in samples: 10 ms."""
WINDOW = 400
"""The length of a frame in samples: 25 ms."""
SPECTRUM = 512
"""The number of points of the Fourier transform of a frame."""
BANDS = 26
"""The number of mel bands, from 60 to 7600 Hz."""
CEPSTRA = 12
"""The number of mel-frequency cepstral coefficients, without the zeroth, which is the energy."""
QUIET = -90.0
"""An utterance that never exceeds this level (dB re full scale) is silence."""
RANGE = 70.0
"""Levels are limited to this much below the loud frames, in dB, so that the depth of a noise gate does not matter."""
ACTIVE = 25.0
"""Frames at most this much below the loud frames, in dB, are speech; the others are pauses."""


@dataclass(frozen=True, slots=True)
class Contours:
    """The contours of an utterance with T frames. Levels are relative to `level`, so that gain does not matter."""

    level: float
    """The level that 5 % of the frames exceed, in dB re full scale."""
    seconds: float
    """The duration."""
    energy: Array
    """[T] in dB."""
    active: Mask
    """[T] whether the frame is speech."""
    bands: Array
    """[T, BANDS] in dB."""
    cepstra: Array
    """[T, CEPSTRA]."""
    descriptors: dict[str, Array]
    """Name to [T]: descriptors of the shape of the spectrum; see `audio_prosody`."""
    pitch: Voice


def measure_contours(samples: npt.NDArray[np.float32]) -> Contours:
    """Measure the contours of a sound.

    Args:
        samples: [n] at 16 kHz, at least 400 (one frame).
    """
    signal = samples.astype(np.float64)
    signal -= signal.mean()
    starts = np.arange(0, len(signal) - WINDOW + 1, HOP)
    window = np.hanning(WINDOW + 2)[1:-1]
    window /= np.sqrt((window**2).mean())  # the energy of a frame is its mean square
    total = np.concatenate([[0.0], np.cumsum(signal**2)])
    loud = float(np.percentile(total[starts + WINDOW] - total[starts], 95)) / WINDOW
    level = 10 * math.log10(max(loud, 10 ** (QUIET / 10)))
    signal /= 10 ** (level / 20)
    weights = _mel_weights()
    energy, bands, descriptors = [], [], []
    previous = None
    for first in range(0, len(starts), BLOCK):
        frames = signal[starts[first : first + BLOCK, None] + np.arange(WINDOW)] * window
        power = np.abs(fft.rfft(frames, SPECTRUM)) ** 2 / (WINDOW * SPECTRUM)  # [t, 257]
        power[:, 1:-1] *= 2
        energy.append(power.sum(axis=1))
        bands.append(power @ weights)
        descriptors.append(_describe(power, previous))
        previous = power[-1:]
    levels, banded = _decibels(np.concatenate(energy)), _decibels(np.concatenate(bands))
    return Contours(
        level=level,
        seconds=len(signal) / RATE,
        energy=levels,
        active=(levels > -ACTIVE) & (level > QUIET),
        bands=banded,
        cepstra=fft.dct(banded, axis=1, norm="ortho")[:, 1 : CEPSTRA + 1],
        descriptors={name: np.concatenate([block[name] for block in descriptors]) for name in descriptors[0]},
        pitch=track_voice(signal, RATE, starts + WINDOW // 2),
    )


def _decibels(power: Array) -> Array:
    decibels: Array = 10 * np.log10(np.maximum(power, 10 ** (-RANGE / 10)))
    return decibels


def _mel_weights() -> Array:
    """Triangular filters [257, BANDS], evenly spaced on O'Shaughnessy's mel scale, 2595 log10(1 + f / 700)."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (60, 7600))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    frequencies = np.arange(SPECTRUM // 2 + 1) * RATE / SPECTRUM
    rise = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    weights: Array = np.maximum(np.minimum(rise, fall), 0.0)
    return weights


def _describe(power: Array, previous: Array | None) -> dict[str, Array]:
    """The descriptors of spectra [t, 257]; `previous` is the spectrum before the first one, for the flux."""
    frequencies = np.arange(power.shape[1]) * RATE / SPECTRUM
    total = power.sum(axis=1) + 1e-14
    share = power / total[:, None]
    centroid = share @ frequencies
    spread = np.sqrt(np.maximum(share @ frequencies**2 - centroid**2, 0))
    below = np.cumsum(share, axis=1)
    shape = np.sqrt(share)
    earlier = np.concatenate([shape[:1] if previous is None else np.sqrt(previous / (previous.sum() + 1e-14)), shape])
    decibels = _decibels(power)

    def level(low: float, high: float) -> Array:
        inside = power[:, (frequencies >= low) & (frequencies < high)]
        return _decibels(inside.sum(axis=1))

    def loudest(low: float, high: float) -> Array:
        peak: Array = decibels[:, (frequencies >= low) & (frequencies < high)].max(axis=1)
        return peak

    def slope(low: float, high: float) -> Array:
        inside = (frequencies >= low) & (frequencies < high)
        x = (frequencies[inside] - frequencies[inside].mean()) / 1000
        slopes: Array = decibels[:, inside] @ x / (x @ x)
        return slopes

    return {
        "centroid": centroid / 1000,
        "spread": spread / 1000,
        "rolloff85": frequencies[np.minimum((below < 0.85).sum(axis=1), len(frequencies) - 1)] / 1000,
        "flux": np.sqrt(((earlier[1:] - earlier[:-1]) ** 2).sum(axis=1)),
        "flatness": decibels[:, 2:].mean(axis=1) - _decibels(power[:, 2:].mean(axis=1)),
        "alpha_ratio": np.clip(level(50, 1000) - level(1000, 5000), -60, 60),
        "hammarberg": np.clip(loudest(0, 2000) - loudest(2000, 5000), -60, 60),
        "slope_low": slope(60, 500),
        "slope_high": slope(500, 1500),
    }
