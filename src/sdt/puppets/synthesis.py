"""Formant synthesis: a source of harmonics, and the resonances of the vocal tract.

The resonators form a cascade, each with gain 1 at 0 Hz. The source is a sum of harmonics, so that the tension of the
voice is their spectral slope.

References:
    D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

Array = npt.NDArray[np.float64]

RATE = 16000
"""Samples per second."""
STEP = 160
"""The number of samples of a step of the formants: 10 ms."""
HIGHEST = 7200.0
"""The frequency limit of the harmonics in Hz."""
WIDTHS = (80.0, 110.0, 160.0, 250.0, 350.0)
"""The bandwidths of the formants in Hz."""
HIGH_FORMANTS = (3500.0, 4500.0)
"""The fourth and fifth formant in Hz, which are constant."""
PERIOD = 4096
"""The number of points of the lookup table of one period."""


def buzz(hertz: Array, slope: float, jitter: float | Array, random: np.random.Generator) -> Array:
    """Harmonics of a varying pitch, with a root mean square of 1.

    Args:
        hertz: [n] the pitch in Hz.
        slope: The spectral slope in dB per octave, negative.
        jitter: The standard deviation of the position of a period, relative to its length: a number or [n].
        random: The random generator of the jitter.

    Returns:
        [n].
    """
    cycles = np.cumsum(hertz) / RATE
    count = int(cycles[-1]) + 2
    shifted = cycles + jitter * np.interp(cycles, np.arange(count), random.normal(size=count))
    # A lookup table of one period is much faster than a sum of 50 cosines for each sample.
    harmonics = np.arange(1, max(2, int(HIGHEST / np.median(hertz)) + 1))
    spectrum = np.zeros(PERIOD // 2 + 1)
    spectrum[harmonics] = harmonics ** (slope / (20 * np.log10(2)))
    period = np.fft.irfft(spectrum)
    period /= np.sqrt(np.mean(period**2))
    phase = np.mod(shifted, 1.0) * PERIOD
    left = phase.astype(np.int64)
    share = phase - left
    found: Array = period[left % PERIOD] * (1 - share) + period[(left + 1) % PERIOD] * share
    return found


def resonate(sound: Array, formants: Array) -> Array:
    """Filter a sound by the resonances of the vocal tract.

    Overlapping frames of 40 ms are filtered by the frequency response at their middle, and added.

    Args:
        sound: [n], a whole number of steps.
        formants: [n / STEP, 3] in Hz.

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
    """The frequency response [T, size / 2 + 1] for formants [T, 3]."""
    centres = np.concatenate([formants, np.broadcast_to(HIGH_FORMANTS, (len(formants), 2))], axis=1)
    radius = np.exp(-np.pi * np.array(WIDTHS) / RATE)
    # A resonator is (1 - b - c) / (1 - b / z - c / z^2); single precision is sufficient and takes half the time.
    b = (2 * radius * np.cos(2 * np.pi * np.minimum(centres, 0.47 * RATE) / RATE)).astype(np.float32)  # [T, 5]
    c = -(radius**2).astype(np.float32)  # [5]
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size).astype(np.complex64)  # 1 / z
    response: npt.NDArray[np.complex64] = np.prod(1 - b - c, axis=1)[:, None].astype(np.complex64)
    for number in range(len(WIDTHS)):
        response = response / ((1 - c[number] * delay**2) - b[:, number, None] * delay)
    return response
