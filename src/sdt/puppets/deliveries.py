"""Vocal expression of emotions: the parameters of a voice, and their values for each emotion.

The directions of the effects follow the literature; there is a form with high and one with low arousal (hot and cold
anger, elation and quiet happiness, despair and sadness, panic and anxiety). Arousal raises pitch, range, loudness and
rate. Anger has a pressed voice and falling melody; joy has a rising melody and bright vowels; fear trembles; sadness is
slow, breathy and falling; disgust is slow and creaky; surprise rises strongly.

Outgoing puppets use the form with high arousal, withdrawn ones the form with low arousal. Voices are ambiguous between
anger and joy (both loud and high), neutral and disgust, and sadness and fear; faces and text are ambiguous between
other pairs.

References:
    R. Banse and K. R. Scherer, "Acoustic profiles in vocal emotion expression", Journal of Personality and Social
    Psychology 70 (1996).
    P. N. Juslin and P. Laukka, "Communication of emotions in vocal expression and music performance", Psychological
    Bulletin 129 (2003).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Delivery:
    """The parameters of a voice, relative to a neutral voice of the speaker."""

    pitch: float = 0.0
    """Semitones above the speaker's mean pitch."""
    range: float = 0.0
    """The factor of the pitch range as a power of two: 1 doubles it."""
    final: float = 0.0
    """The additional rise (or fall, if negative) of the last syllables in semitones."""
    level: float = 0.0
    """dB above the speaker's mean loudness."""
    rate: float = 0.0
    """The factor of the speaking rate as a power of two: 1 doubles it."""
    tension: float = 0.0
    """The reduction of the spectral slope in dB per octave: positive is pressed, negative is lax."""
    breath: float = 0.0
    """The additional level of breath noise in dB, relative to the voice."""
    tremor: float = 0.0
    """The amplitude of a pitch modulation of about 6 Hz in semitones; loudness is modulated by three times this in
    dB."""
    jitter: float = 0.0
    """The additional variation of periods in percent."""
    creak: float = 0.0
    """The fraction of the utterance, at its end, with creaky voice."""
    smile: float = 0.0
    """The rise of the formants in percent: spread lips shorten the vocal tract, and rounded lips lengthen it."""


OPEN: dict[str, Delivery] = {
    "neutral": Delivery(),
    "joy": Delivery(pitch=4.5, range=0.9, final=2.0, level=5.0, rate=0.15, tension=1.0, smile=5.0),
    "surprise": Delivery(pitch=5.5, range=1.2, final=6.0, level=3.0, rate=-0.05, tension=0.5, breath=4.0),
    "anger": Delivery(pitch=4.0, range=0.7, final=-2.5, level=8.0, rate=0.2, tension=3.0, breath=-5.0, jitter=0.8),
    "sadness": Delivery(pitch=2.5, range=0.1, final=-3.0, level=-1.0, rate=-0.35, tension=-1.5, breath=8.0, tremor=0.6),
    "fear": Delivery(pitch=6.5, range=-0.2, final=1.0, level=2.0, rate=0.35, breath=4.0, tremor=0.9, jitter=1.0),
    "disgust": Delivery(pitch=-1.5, range=0.3, final=-2.5, level=0.5, rate=-0.3, tension=1.0, creak=0.3, smile=-4.0),
}
"""The deliveries of outgoing puppets, with high arousal."""

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
"""The deliveries of withdrawn puppets, with low arousal."""
