"""Synthetic voices for tests: a buzz of known pitch through a mouth, in syllables and pauses of known length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sdt.puppets.synthesis import RATE, STEP, buzz, resonate

__all__ = ["RATE", "syllables", "vowel"]


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
    steps = -(-n // STEP)
    begin, end = hertz if isinstance(hertz, tuple) else (hertz, hertz)
    pitch = np.interp(np.arange(steps * STEP), [0, n - 1], [begin, end])
    throat = buzz(pitch, -6.0, jitter, generator) + breath * generator.normal(size=steps * STEP)
    sound = resonate(throat, np.tile([600.0, 1300.0, 2500.0], (steps, 1)))[:n]
    return np.asarray(sound / np.sqrt(np.mean(sound**2)) * level, dtype=np.float32)


def syllables(
    count: int,
    each: float = 0.15,
    gap: float = 0.1,
    hertz: Sequence[float] = (140.0,),
    voice: Callable[..., npt.NDArray[np.float32]] = vowel,
) -> npt.NDArray[np.float32]:
    """So many swelling vowels [n], with near silence between them."""
    quiet = np.random.default_rng(1).normal(size=round(gap * RATE)) * 1e-4
    swell = np.hanning(round(each * RATE))
    sounds = [voice(each, hertz[k % len(hertz)], seed=k) * swell for k in range(count)]
    return np.concatenate([part for sound in sounds for part in (sound, quiet)]).astype(np.float32)
