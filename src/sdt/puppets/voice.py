"""Synthesis of a sentence with a voice and a delivery, and the movements of the mouth."""

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
"""The spectral slope of a neutral voice in dB per octave."""
BREATH = -21.0
"""The level of breath noise relative to a neutral voice in dB."""
JITTER = 0.25
"""The variation of periods of a neutral voice in percent."""
DECLINE = 1.5
"""The fall of the pitch from start to end of a neutral sentence in semitones."""
ACCENT = 2.0
"""The rise of the pitch on a stressed syllable in semitones."""
STRESSED = 0.55
"""The fraction of vowels that are stressed."""
TREMOR = 6.0
"""The frequency of the tremor in Hz."""
LOUDNESS = -27.0
"""The level of a neutral voice in dB re full scale."""
EDGE = 0.1
"""The silence before and after a sentence in seconds."""
GLIDE = 1.3
"""The standard deviation of the smoothing between sounds in steps."""


@dataclass(frozen=True)
class Voice:
    """The neutral voice of a puppet."""

    pitch: float = 120.0
    """The mean pitch in Hz."""
    tract: float = 1.0
    """The factor of the formants relative to men; a shorter vocal tract has higher formants."""
    letter: float = 0.06
    """The duration of a letter in seconds."""


@dataclass(frozen=True)
class Speech:
    """A synthesised sentence."""

    samples: npt.NDArray[np.float32]
    """[n] in [-1, 1], `RATE` samples per second."""
    jaw: Array
    """[n / STEP] the opening of the mouth, from 0 to 1."""
    rounded: Array
    """[n / STEP] the rounding of the lips, from 0 to 1."""


def duration(text: str, voice: Voice, delivery: Delivery) -> float:
    """The duration of a sentence in seconds, a whole number of steps."""
    seconds: float = _Score(text, voice, delivery).steps * STEP / RATE
    return seconds


def speak(text: str, voice: Voice, delivery: Delivery, random: np.random.Generator) -> Speech:
    """Synthesise a sentence.

    Args:
        text: The text.
        voice: The voice of the puppet.
        delivery: The vocal expression.
        random: The random generator of stress, tremor and breath.
    """
    score = _Score(text, voice, delivery)
    n = score.steps * STEP
    shaking = np.sin(2 * np.pi * np.cumsum(TREMOR + _to_samples(_drift(random, score.steps))) / RATE)
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
    """The sounds of a sentence and their times in T steps of 10 ms."""

    def __init__(self, text: str, voice: Voice, delivery: Delivery) -> None:
        self.sounds: list[Sound] = sounds(text)
        lengths = [sound.length * voice.letter / 2**delivery.rate for sound in self.sounds]
        self._ends = np.cumsum([EDGE, *lengths]) * RATE / STEP
        self.steps = round(self._ends[-1] + EDGE * RATE / STEP)

    def track(self, values: Sequence[float], *, silence: bool = True) -> Array:
        """Interpolate one value per sound to smooth values every 10 ms [T].

        Before and after the sentence, they are 0 or, without `silence`, the first and last value.
        """
        before, after = (0.0, 0.0) if silence else (values[0], values[-1])
        held = np.array([before, *values, after])[np.searchsorted(self._ends, np.arange(self.steps) + 0.5)]
        glided: Array = gaussian_filter1d(held, GLIDE, mode="nearest")
        return glided

    def melody(self, delivery: Delivery, random: np.random.Generator) -> Array:
        """The pitch contour [T] in semitones above the speaker's mean pitch."""
        times = np.arange(self.steps)
        progress = np.clip((times - self._ends[0]) / (self._ends[-1] - self._ends[0]), 0, 1)
        moves = DECLINE * (0.5 - progress) + 0.3 * _drift(random, self.steps)
        for sound, begin, end in zip(self.sounds, self._ends, self._ends[1:], strict=False):
            if sound.voice == 1 and random.random() < STRESSED:  # a vowel
                height = ACCENT * random.uniform(0.4, 1.4)
                moves += height * np.exp(-0.5 * ((times - (begin + end) / 2) / 7) ** 2)
        last = np.clip((progress - 0.7) / 0.3, 0, 1)
        melody: Array = delivery.pitch + 2**delivery.range * moves + (delivery.final - 1) * last
        return melody

    def hisses(self, random: np.random.Generator) -> Array:
        """The frication noise [n], filtered by its centre frequencies."""
        noise = random.normal(size=self.steps * STEP)
        out = np.zeros(len(noise))
        for centre in sorted({sound.pitch_of_hiss for sound in self.sounds if sound.hiss}):
            loud = self.track([sound.hiss * (sound.pitch_of_hiss == centre) for sound in self.sounds])
            band = butter(2, [0.7 * centre, min(1.3 * centre, 7800.0)], "bandpass", fs=RATE, output="sos")
            out += sosfilt(band, noise) * _to_samples(loud)
        return out


def _to_samples(track: Array) -> Array:
    """Interpolate values every 10 ms [T] to one value per sample [n]."""
    return np.interp(np.arange(len(track) * STEP), np.arange(len(track)) * STEP + STEP / 2, track)


def _drift(random: np.random.Generator, steps: int) -> Array:
    """Slow random changes [steps] with standard deviation 1, about twice per second."""
    slow: Array = gaussian_filter1d(random.normal(size=steps), 15, mode="wrap")
    slow /= slow.std() + 1e-9
    return slow
