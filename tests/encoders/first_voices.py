"""The synthetic voices of the first version of `prosody`, whose values are pinned on them."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from tests.encoders import voices
from tests.encoders.voices import RATE


def vowel(
    seconds: float,
    hertz: float | tuple[float, float] = 120.0,
    *,
    breath: float = 0.01,
    jitter: float = 0.0,
    level: float = 0.1,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """A voiced sound [n] whose pitch goes from the first to the second value; `breath` is the noise's share."""
    generator = np.random.default_rng(seed)
    n = round(seconds * RATE)
    begin, end = hertz if isinstance(hertz, tuple) else (hertz, hertz)
    pitch = np.linspace(begin, end, n)
    cycles = np.cumsum(pitch / RATE)
    shaken = cycles + jitter * np.interp(
        cycles, np.arange(int(cycles[-1]) + 2), generator.normal(size=int(cycles[-1]) + 2)
    )
    # Harmonics up to the half of the rate, one by one: clicks on whole samples would have periods of two lengths.
    harmonics = range(1, int(0.45 * RATE / pitch.max()) + 1)
    source = sum((np.cos(2 * np.pi * k * shaken) for k in harmonics), start=np.zeros(n))
    source = source / np.sqrt(np.mean(source**2)) + breath * generator.normal(size=n)
    for formant, width in ((600, 80), (1300, 110)):
        radius = np.exp(-np.pi * width / RATE)
        source = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], source)
    sound = source / np.sqrt(np.mean(source**2)) * level
    return np.asarray(sound, dtype=np.float32)


syllables = partial(voices.syllables, voice=vowel)
