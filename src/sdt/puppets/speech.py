"""Conversion of text to speech sounds, and to the movements of the mouth.

The speech is not intelligible, but has the properties that acoustic features measure: syllables, different vowels,
noise, closures, pauses at commas, and a rhythm that follows the text.

References:
    G. E. Peterson and H. L. Barney, "Control methods used in a study of the vowels", JASA 24 (1952): the mean formants
    of men, which are scaled by the length of the vocal tract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Formants = tuple[float, float, float]


@dataclass(frozen=True)
class Sound:
    """One speech sound."""

    length: float
    """The duration in units of a letter."""
    formants: Formants = (500.0, 1500.0, 2500.0)
    """The first three formants in Hz."""
    voice: float = 1.0
    """The amplitude of the voice; 0 is voiceless."""
    hiss: float = 0.0
    """The amplitude of the frication noise."""
    pitch_of_hiss: float = 4500.0
    """The centre frequency of the frication noise in Hz."""
    jaw: float = 0.0
    """The opening of the mouth, from 0 to 1."""
    rounded: float = 0.0
    """The rounding of the lips, from 0 to 1."""


SOUNDS = {
    "a": Sound(1.9, (730, 1090, 2440), jaw=1.0),
    "e": Sound(1.5, (530, 1840, 2480), jaw=0.6),
    "i": Sound(1.4, (390, 1990, 2550), jaw=0.4),
    "o": Sound(1.8, (570, 840, 2410), jaw=0.75, rounded=0.7),
    "u": Sound(1.5, (440, 1020, 2240), jaw=0.45, rounded=0.6),
    "ee": Sound(2.4, (270, 2290, 3010), jaw=0.35),
    "oo": Sound(2.4, (300, 870, 2240), jaw=0.35, rounded=1.0),
    "m": Sound(1.0, (250, 1000, 2200), voice=0.35),
    "n": Sound(1.0, (250, 1400, 2400), voice=0.35, jaw=0.15),
    "l": Sound(0.9, (360, 1200, 2700), voice=0.55, jaw=0.3),
    "r": Sound(0.9, (420, 1300, 1600), voice=0.55, jaw=0.25, rounded=0.3),
    "w": Sound(0.9, (290, 610, 2150), voice=0.5, jaw=0.15, rounded=1.0),
    "v": Sound(0.9, (300, 1200, 2300), voice=0.3, hiss=0.12, jaw=0.08),
    "z": Sound(1.0, (300, 1500, 2500), voice=0.25, hiss=0.3, pitch_of_hiss=5800, jaw=0.1),
    "s": Sound(1.2, voice=0.0, hiss=0.5, pitch_of_hiss=5800, jaw=0.1),
    "sh": Sound(1.4, voice=0.0, hiss=0.55, pitch_of_hiss=3200, jaw=0.2, rounded=0.5),
    "f": Sound(1.1, voice=0.0, hiss=0.2, jaw=0.06),
    "h": Sound(0.7, voice=0.0, hiss=0.25, pitch_of_hiss=1600, jaw=0.4),
    "b": Sound(0.6, (250, 900, 2300), voice=0.12),
    "d": Sound(0.6, (250, 1700, 2600), voice=0.12, jaw=0.15),
    "p": Sound(0.6, voice=0.0),
    "t": Sound(0.6, voice=0.0, jaw=0.15),
    "burst": Sound(0.35, voice=0.0, hiss=0.5, jaw=0.25),
    " ": Sound(0.5, voice=0.05, jaw=0.15),
    ",": Sound(3.5, voice=0.0),
}
"""Letters to their sounds; `burst` follows the closure of a stop, and a space separates words."""

SAME = {
    "c": "t", "k": "t", "ck": "t", "q": "t", "g": "d", "x": "s", "j": "sh", "ch": "sh", "th": "f", "ph": "f", "wh": "w",
    "ng": "n", "y": "i", "ea": "ee", "ou": "a", "ow": "a", "oa": "o", "ai": "e", "ay": "e",
    "!": ",", "?": ",", ".": ",", ":": ",", ";": ",",
}  # fmt: skip
"""Letters that are spoken like other letters."""
VOWELS = ("a", "e", "i", "o", "u", "ee", "oo")
STOPS = ("p", "t", "b", "d")
_LETTERS = re.compile(r"ee|ea|oo|ou|ow|oa|ai|ay|sh|ch|th|ph|wh|ck|ng|[a-z]| |[,.!?:;]")


def sounds(text: str) -> list[Sound]:
    """Convert a sentence to speech sounds."""
    found: list[Sound] = []
    last = ""
    for letters in _LETTERS.findall(text.lower().strip(" .,!?:;")):
        name = SAME.get(letters, letters)
        if name == last and name not in VOWELS:  # double consonants are one sound
            continue
        found.append(SOUNDS[name])
        if name in STOPS:
            found.append(SOUNDS["burst"])
        last = name
    return found or [SOUNDS["m"]]
