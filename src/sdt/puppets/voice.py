"""A puppet's voice: how a sentence sounds, and what the mouth does meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfilt

from sdt.puppets.deliveries import Delivery
from sdt.puppets.speech import Sound, sounds
from sdt.puppets.synthesis import RATE, STEP, Array, buzz, resonate

SLOPE = -8.0
"""dB per octave: how the harmonics of an ordinary voice fall."""
BREATH = -21.0
"""dB by which breath is below an ordinary voice."""
JITTER = 0.25
"""Per cent by which the periods of an ordinary voice differ."""
DECLINE = 1.5
"""Semitones by which the pitch falls from beginning to end when nothing is meant by it."""
ACCENT = 2.0
"""Semitones by which a stressed syllable is higher."""
STRESSED = 0.55
"""The share of the vowels that are stressed."""
TREMOR = 6.0
"""Hz."""
LOUDNESS = -27.0
"""dB re full scale of an ordinary voice while it sounds."""
EDGE = 0.1
"""Seconds of silence before and after a sentence."""
GLIDE = 1.3
"""Steps in which one sound becomes the next (a standard deviation)."""


@dataclass(frozen=True)
class Voice:
    """What a voice is like when nothing is felt."""

    pitch: float = 120.0
    """Hz."""
    tract: float = 1.0
    """Its formants relative to a man's: a shorter vocal tract has higher ones."""
    letter: float = 0.06
    """Seconds per letter."""


@dataclass(frozen=True)
class Speech:
    """A sentence, spoken."""

    samples: npt.NDArray[np.float32]
    """[n], `RATE` a second, in [-1, 1]."""
    jaw: Array
    """[n / STEP]; how far the mouth is open, from 0 to 1."""
    rounded: Array
    """[n / STEP]; how far the lips are rounded, from 0 to 1."""


def duration(text: str, voice: Voice, delivery: Delivery) -> float:
    """Seconds that `speak` takes for a sentence, a whole number of steps."""
    seconds: float = _Score(text, voice, delivery).steps * STEP / RATE
    return seconds


def speak(text: str, voice: Voice, delivery: Delivery, random: np.random.Generator) -> Speech:
    """Say a sentence.

    Args:
        text: The words.
        voice: Whose voice it is.
        delivery: What the voice does.
        random: What decides stresses, tremor and breath.
    """
    score = _Score(text, voice, delivery)
    n = score.steps * STEP
    shaking = np.sin(2 * np.pi * np.cumsum(TREMOR + _to_samples(_wander(random, score.steps))) / RATE)
    semitones = _to_samples(score.melody(delivery, random)) + delivery.tremor * shaking
    creak = np.clip((np.arange(n) / n - 1 + delivery.creak) * 15, 0, 1) if delivery.creak > 0 else np.zeros(n)
    hertz = voice.pitch * 2 ** (semitones / 12) * (1 - 0.3 * creak)
    throat = buzz(hertz, SLOPE + delivery.tension, (JITTER + max(0.0, delivery.jitter) + 6 * creak) / 100, random)
    throat += random.normal(size=n) * 10 ** ((BREATH + delivery.breath) / 20)
    loud = score.track([sound.voice for sound in score.sounds])
    throat *= _to_samples(loud) * 10 ** (3 * delivery.tremor * shaking / 20)
    formants = [score.track([sound.formants[k] for sound in score.sounds], silence=False) for k in range(3)]
    sound = resonate(throat, np.stack(formants, axis=1) * voice.tract * (1 + delivery.smile / 100))
    sound /= np.sqrt(np.mean(sound**2) / np.mean(loud**2))
    sound += score.hisses(random)
    sound *= 10 ** ((LOUDNESS + delivery.level) / 20)
    jaw, rounded = ([getattr(one, name) for one in score.sounds] for name in ("jaw", "rounded"))
    return Speech(np.clip(sound, -1, 1).astype(np.float32), score.track(jaw), score.track(rounded))


class _Score:
    """The sounds of a sentence and when they come: T steps of 10 ms."""

    def __init__(self, text: str, voice: Voice, delivery: Delivery) -> None:
        self.sounds: list[Sound] = sounds(text)
        lengths = [sound.length * voice.letter / 2**delivery.rate for sound in self.sounds]
        self._ends = np.cumsum([EDGE, *lengths]) * RATE / STEP
        self.steps = round(self._ends[-1] + EDGE * RATE / STEP)

    def track(self, values: Sequence[float], *, silence: bool = True) -> Array:
        """A value for each sound as values every 10 ms [T] that glide from one to the next.

        In the silence around they are 0; or, where there is none, the first and the last value.
        """
        before, after = (0.0, 0.0) if silence else (values[0], values[-1])
        held = np.array([before, *values, after])[np.searchsorted(self._ends, np.arange(self.steps) + 0.5)]
        glided: Array = gaussian_filter1d(held, GLIDE, mode="nearest")
        return glided

    def melody(self, delivery: Delivery, random: np.random.Generator) -> Array:
        """Semitones above the speaker's usual pitch [T]."""
        times = np.arange(self.steps)
        course = np.clip((times - self._ends[0]) / (self._ends[-1] - self._ends[0]), 0, 1)
        moves = DECLINE * (0.5 - course) + 0.3 * _wander(random, self.steps)
        for sound, begin, end in zip(self.sounds, self._ends, self._ends[1:], strict=False):
            if sound.voice == 1 and random.random() < STRESSED:  # a vowel
                height = ACCENT * random.uniform(0.4, 1.4)
                moves += height * np.exp(-0.5 * ((times - (begin + end) / 2) / 7) ** 2)
        last = np.clip((course - 0.7) / 0.3, 0, 1)
        melody: Array = delivery.pitch + 2**delivery.range * moves + (delivery.final - 1) * last
        return melody

    def hisses(self, random: np.random.Generator) -> Array:
        """The noise of narrow passages [n], each of its own colour."""
        noise = random.normal(size=self.steps * STEP)
        out = np.zeros(len(noise))
        for colour in sorted({sound.pitch_of_hiss for sound in self.sounds if sound.hiss}):
            loud = self.track([sound.hiss * (sound.pitch_of_hiss == colour) for sound in self.sounds])
            band = butter(2, [0.7 * colour, min(1.3 * colour, 7800.0)], "bandpass", fs=RATE, output="sos")
            out += sosfilt(band, noise) * _to_samples(loud)
        return out


def _to_samples(track: Array) -> Array:
    """From a value every 10 ms [T] to one for each sample [n]."""
    return np.interp(np.arange(len(track) * STEP), np.arange(len(track)) * STEP + STEP / 2, track)


def _wander(random: np.random.Generator, steps: int) -> Array:
    """Slow changes [steps] of deviation 1, about twice a second."""
    slow: Array = gaussian_filter1d(random.normal(size=steps), 15, mode="wrap")
    slow /= slow.std() + 1e-9
    return slow
