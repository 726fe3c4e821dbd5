"""The puppets: each has its own looks, voice, temperament and way of showing what it feels."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from sdt.puppets import deliveries, expressions
from sdt.puppets.controls import mixed, scattered
from sdt.puppets.deliveries import Delivery
from sdt.puppets.emotions import EMOTIONS, Temperament
from sdt.puppets.expressions import Expression
from sdt.puppets.face import STYLES, Colour, Look
from sdt.puppets.voice import Voice

TONE = Delivery(
    range=0.3, final=1.0, level=2.5, tension=1.0, breath=2.5, tremor=0.12, jitter=0.25, creak=0.05, smile=2.0
)
"""How much puppets differ in what their voices always do (standard deviations)."""
MOMENT = Delivery(
    pitch=1.5, range=0.35, final=1.5, level=2.2, rate=0.15, tension=0.9, breath=2.2, tremor=0.15, jitter=0.3,
    creak=0.08, smile=1.8,
)  # fmt: skip
"""How much the voice differs from utterance to utterance for no reason."""
RESTING_FACE = Expression(
    inner_brow=0.3, outer_brow=0.3, frown=0.3, lids=0.25, cheeks=0.15, nose=0.1, upper_lip=0.1, corners=0.35,
    stretch=0.15, press=0.2, bow=0.3,
)  # fmt: skip
"""How much puppets differ in what their faces always do: some look stern, or amused, when nothing is meant."""
TWITCH = Expression(
    inner_brow=0.2, outer_brow=0.2, frown=0.2, lids=0.2, cheeks=0.15, nose=0.1, upper_lip=0.1, corners=0.25,
    stretch=0.2, press=0.15, jaw=0.1, bow=0.3,
)  # fmt: skip
"""How much the face differs from utterance to utterance for no reason."""
STRENGTH = 0.1, 1.1
"""How strongly an emotion is shown in an utterance; mostly less than an actor would."""


@dataclass(frozen=True)
class Puppet:
    """One puppet in one conversation."""

    name: str
    temperament: Temperament
    outgoing: bool
    """Whether it shows emotions in their open form, or in the held one."""
    expressiveness: float
    """How strongly it shows them."""
    voice: Voice
    tone: Delivery
    """What its voice always does."""
    look: Look
    resting: Expression
    """What its face always does."""

    @classmethod
    def draw(cls, random: np.random.Generator, name: str) -> Puppet:
        """A puppet picked from the trunk."""
        pitch = float(np.exp(random.uniform(np.log(95), np.log(250))))
        tract = (pitch / 120) ** 0.2 * float(random.uniform(0.94, 1.06))
        return cls(
            name=name,
            temperament=Temperament.draw(random),
            outgoing=bool(random.random() < 0.5),
            expressiveness=float(random.uniform(0.7, 1.15)),
            voice=Voice(pitch, tract, letter=float(random.uniform(0.05, 0.07))),
            tone=scattered(TONE, random),
            look=_look(random),
            resting=scattered(RESTING_FACE, random),
        )

    def says(self, random: np.random.Generator, emotion: int) -> Delivery:
        """What its voice does for an utterance of an emotion (its number in `EMOTIONS`)."""
        form = deliveries.OPEN if self.outgoing else deliveries.HELD
        strength = self.expressiveness * float(random.uniform(*STRENGTH))
        return mixed((1, self.tone), (strength, form[EMOTIONS[emotion]]), (1, scattered(MOMENT, random)))

    def shows(self, random: np.random.Generator, emotion: int) -> Expression:
        """What its face does for an utterance of an emotion."""
        form = expressions.OPEN if self.outgoing else expressions.HELD
        strength = self.expressiveness * float(random.uniform(*STRENGTH))
        return mixed((1, self.resting), (strength, form[EMOTIONS[emotion]]), (1, scattered(TWITCH, random))).limited()


def _look(random: np.random.Generator) -> Look:
    def size(spread: float) -> float:
        return float(random.uniform(1 - spread, 1 + spread))

    hue = float(random.random())
    return Look(
        skin=_colour(hue, random.uniform(0.15, 0.4), random.uniform(170, 205)),
        hair=_colour(random.random(), random.uniform(0.3, 0.8), random.uniform(30, 75)),
        iris=_colour(random.random(), random.uniform(0.3, 0.7), random.uniform(40, 80)),
        lips=_colour(random.uniform(0.93, 1.03), random.uniform(0.5, 0.7), random.uniform(75, 105)),
        shirt=_colour(random.random(), random.uniform(0.4, 0.8), random.uniform(60, 120)),
        style=int(random.integers(STYLES)),
        width=size(0.08),
        height=size(0.05),
        apart=size(0.06),
        eyes=size(0.15),
        nose=size(0.3),
        mouth=size(0.15),
        brows=size(0.35),
    )


def _colour(hue: float, saturation: float, brightness: float) -> Colour:
    """A colour by how bright it is in grey: what finds faces sees no colours."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, 1.0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return tuple(round(min(255.0, part * brightness / grey)) for part in (red, green, blue))  # type: ignore[return-value]
