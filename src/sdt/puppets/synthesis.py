"""The two halves of a synthesised voice: a buzz, and the resonances of a mouth.

After D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980): resonators in a row, each of
gain 1 at 0 Hz. The buzz is a sum of harmonics, so that how pressed a voice is can be said as their slope.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

Array = npt.NDArray[np.float64]

RATE = 16000
"""Samples per second."""
STEP = 160
"""Samples from one place of the mouth to the next: 10 ms."""
HIGHEST = 7200.0
"""Hz: harmonics beyond that are left out."""
WIDTHS = (80.0, 110.0, 160.0, 250.0, 350.0)
"""Hz: bandwidths of the formants."""
HIGH_FORMANTS = (3500.0, 4500.0)
"""Hz; they hardly differ between sounds."""
PERIOD = 4096
"""Places at which one period of the buzz is computed."""


def buzz(hertz: Array, slope: float, jitter: float | Array, random: np.random.Generator) -> Array:
    """Harmonics of a pitch that changes, their root mean square 1 together.

    Args:
        hertz: [n].
        slope: dB per octave by which they fall (below 0).
        jitter: The deviation of a period's place, relative to its length: one number, or [n].
        random: What decides it.

    Returns:
        [n].
    """
    cycles = np.cumsum(hertz) / RATE
    count = int(cycles[-1]) + 2
    shaken = cycles + jitter * np.interp(cycles, np.arange(count), random.normal(size=count))
    # One period is made once and looked up: a sum of 50 cosines for each sample would take most of the time.
    harmonics = np.arange(1, max(2, int(HIGHEST / np.median(hertz)) + 1))
    spectrum = np.zeros(PERIOD // 2 + 1)
    spectrum[harmonics] = harmonics ** (slope / (20 * np.log10(2)))
    period = np.fft.irfft(spectrum)
    period /= np.sqrt(np.mean(period**2))
    place = np.mod(shaken, 1.0) * PERIOD
    left = place.astype(np.int64)
    share = place - left
    found: Array = period[left % PERIOD] * (1 - share) + period[(left + 1) % PERIOD] * share
    return found


def resonate(sound: Array, formants: Array) -> Array:
    """A sound through the resonances of a mouth.

    Overlapping stretches of 40 ms are filtered by the mouth's frequency response at their middle and added up.

    Args:
        sound: [n], a whole number of steps.
        formants: [n / STEP, 3] Hz.

    Returns:
        [n].
    """
    hop, size = 2 * STEP, 1024
    window = np.hanning(2 * hop + 1)[:-1]
    padded = np.concatenate([np.zeros(hop), sound, np.zeros(2 * hop)])
    starts = np.arange(0, len(padded) - 2 * hop + 1, hop)
    response = _response(formants[np.minimum(starts // STEP, len(formants) - 1)], size)
    frames = padded[starts[:, None] + np.arange(2 * hop)] * window
    filtered = fft.irfft(fft.rfft(frames, size, axis=1) * response, size, axis=1)
    out = np.zeros(len(padded) + size)
    for start, part in zip(starts, filtered, strict=True):
        out[start : start + size] += part
    return out[hop : hop + len(sound)]


def _response(formants: Array, size: int) -> npt.NDArray[np.complex64]:
    """The frequency response [T, size / 2 + 1] of mouths of formants [T, 3]."""
    centres = np.concatenate([formants, np.broadcast_to(HIGH_FORMANTS, (len(formants), 2))], axis=1)
    radius = np.exp(-np.pi * np.array(WIDTHS) / RATE)
    # A resonator is (1 - b - c) / (1 - b / z - c / z^2); single precision is plenty and takes half the time.
    b = (2 * radius * np.cos(2 * np.pi * np.minimum(centres, 0.47 * RATE) / RATE)).astype(np.float32)  # [T, 5]
    c = -(radius**2).astype(np.float32)  # [5]
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size).astype(np.complex64)  # 1 / z
    response: npt.NDArray[np.complex64] = np.prod(1 - b - c, axis=1)[:, None].astype(np.complex64)
    for number in range(len(WIDTHS)):
        response = response / ((1 - c[number] * delay**2) - b[:, number, None] * delay)
    return response
