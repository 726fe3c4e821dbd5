"""How emotions sound: what a voice can do, and what each emotion does with it.

The directions are the literature's: R. Banse and K. R. Scherer, "Acoustic profiles in vocal emotion expression",
Journal of Personality and Social Psychology 70 (1996), whose emotions come in a form of high and one of low arousal
(hot and cold anger, elation and quiet happiness, despair and sadness, panic and anxiety); and P. N. Juslin and
P. Laukka, "Communication of emotions in vocal expression and music performance", Psychological Bulletin 129 (2003).
Arousal raises pitch, range, loudness and rate; anger is pressed, its melody falls; joy's rises, and a smile brightens
its vowels; fear trembles; sadness is slow, breathy and falls, and where it is quiet it is low and soft; disgust is slow
and creaks; surprise swoops up.

Outgoing puppets have the form of high arousal, withdrawn ones that of low. Voices confuse anger with joy (both loud and
high), neutral with disgust and sadness with fear; other pairs than faces and words confuse.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Delivery:
    """What a voice does; 0 throughout is a puppet talking of nothing in particular."""

    pitch: float = 0.0
    """Semitones above the speaker's usual pitch."""
    range: float = 0.0
    """How much further, by a power of two, the melody goes up and down: 1 is twice as far."""
    final: float = 0.0
    """Semitones by which the last syllables rise, or fall, more than usually."""
    level: float = 0.0
    """dB above the speaker's usual loudness."""
    rate: float = 0.0
    """How much faster, by a power of two: 1 is twice as fast."""
    tension: float = 0.0
    """dB per octave by which the harmonics fall less than usually: pressed; below 0 lax."""
    breath: float = 0.0
    """dB by which the breath is louder than usually, relative to the voice."""
    tremor: float = 0.0
    """Semitones by which the pitch trembles, some six times a second, and dB by which the loudness does, three times as
    many."""
    jitter: float = 0.0
    """Per cent by which one period of the voice differs from the next, beside the usual."""
    creak: float = 0.0
    """The share of the utterance, at its end, in which the voice creaks."""
    smile: float = 0.0
    """Per cent by which the formants are higher: spread lips shorten the vocal tract, rounded ones lengthen it."""


OPEN: dict[str, Delivery] = {
    "neutral": Delivery(),
    "joy": Delivery(pitch=4.5, range=0.9, final=2.0, level=5.0, rate=0.15, tension=1.0, smile=5.0),
    "surprise": Delivery(pitch=5.5, range=1.2, final=6.0, level=3.0, rate=-0.05, tension=0.5, breath=4.0),
    "anger": Delivery(pitch=4.0, range=0.7, final=-2.5, level=8.0, rate=0.2, tension=3.0, breath=-5.0, jitter=0.8),
    "sadness": Delivery(pitch=2.5, range=0.1, final=-3.0, level=-1.0, rate=-0.35, tension=-1.5, breath=8.0, tremor=0.6),
    "fear": Delivery(pitch=6.5, range=-0.2, final=1.0, level=2.0, rate=0.35, breath=4.0, tremor=0.9, jitter=1.0),
    "disgust": Delivery(pitch=-1.5, range=0.3, final=-2.5, level=0.5, rate=-0.3, tension=1.0, creak=0.3, smile=-4.0),
}
"""What outgoing puppets do."""

HELD: dict[str, Delivery] = {
    "neutral": Delivery(range=-0.2, level=-1.0),
    "joy": Delivery(pitch=1.8, range=0.3, final=1.5, level=1.0, tension=-0.5, breath=1.5, smile=4.0),
    "surprise": Delivery(pitch=2.0, range=0.5, final=4.0, level=-1.0, rate=-0.15, breath=4.0),
    "anger": Delivery(pitch=0.5, range=-0.1, final=-2.0, level=2.0, rate=-0.15, tension=2.5, breath=-4.0, jitter=0.3),
    "sadness": Delivery(
        pitch=-2.0, range=-0.7, final=-2.5, level=-5.0, rate=-0.3, tension=-2.0, breath=8.0, smile=-2.0
    ),
    "fear": Delivery(pitch=1.5, range=-0.6, level=-4.0, rate=0.1, tension=-0.5, breath=6.0, tremor=0.5, jitter=0.5),
    "disgust": Delivery(pitch=-1.0, range=-0.3, final=-1.5, level=-1.5, rate=-0.15, creak=0.2, smile=-2.0),
}
"""What withdrawn puppets do."""
