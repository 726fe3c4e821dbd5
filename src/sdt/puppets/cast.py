"""The speakers: each puppet has a random face, voice, temperament and expressiveness."""

from __future__ import annotations

import colorsys
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sdt.puppets import deliveries, expressions
from sdt.puppets.deliveries import Delivery
from sdt.puppets.emotions import EMOTIONS, Temperament
from sdt.puppets.expressions import Expression
from sdt.puppets.face import STYLES, Colour, Look
from sdt.puppets.voice import Voice

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Controls = TypeVar("Controls", bound="DataclassInstance")
"""A dataclass of numbers: `Delivery` or `Expression`."""

TONE = Delivery(
    range=0.3, final=1.0, level=2.5, tension=1.0, breath=2.5, tremor=0.12, jitter=0.25, creak=0.05, smile=2.0
)
"""The standard deviations of the constant part of the voice between puppets."""
MOMENT = Delivery(
    pitch=1.5, range=0.35, final=1.5, level=2.2, rate=0.15, tension=0.9, breath=2.2, tremor=0.15, jitter=0.3,
    creak=0.08, smile=1.8,
)  # fmt: skip
"""The standard deviations of the random part of the voice between utterances."""
RESTING_FACE = Expression(
    inner_brow=0.3, outer_brow=0.3, frown=0.3, lids=0.25, cheeks=0.15, nose=0.1, upper_lip=0.1, corners=0.35,
    stretch=0.15, press=0.2, bow=0.3,
)  # fmt: skip
"""The standard deviations of the constant part of the expression between puppets."""
TWITCH = Expression(
    inner_brow=0.2, outer_brow=0.2, frown=0.2, lids=0.2, cheeks=0.15, nose=0.1, upper_lip=0.1, corners=0.25,
    stretch=0.2, press=0.15, jaw=0.1, bow=0.3,
)  # fmt: skip
"""The standard deviations of the random part of the expression between utterances."""
STRENGTH = 0.1, 1.1
"""The range of the intensity of an emotion in an utterance; 1 is a full expression."""


@dataclass(frozen=True)
class Puppet:
    """One puppet in one conversation."""

    name: str
    temperament: Temperament
    outgoing: bool
    """Whether it shows emotions in the form `OPEN`; otherwise in the form `HELD`."""
    expressiveness: float
    """The factor of the intensity of its emotions."""
    voice: Voice
    tone: Delivery
    """The constant part of its voice."""
    look: Look
    resting: Expression
    """The constant part of its expression."""

    @classmethod
    def draw(cls, random: np.random.Generator, name: str) -> Puppet:
        """Draw a random puppet."""
        pitch = float(np.exp(random.uniform(np.log(95), np.log(250))))
        tract = (pitch / 120) ** 0.2 * float(random.uniform(0.94, 1.06))
        return cls(
            name=name,
            temperament=Temperament.draw(random),
            outgoing=bool(random.random() < 0.5),
            expressiveness=float(random.uniform(0.7, 1.15)),
            voice=Voice(pitch, tract, letter=float(random.uniform(0.05, 0.07))),
            tone=draw_around_zero(TONE, random),
            look=_look(random),
            resting=draw_around_zero(RESTING_FACE, random),
        )

    def draw_delivery(self, random: np.random.Generator, emotion: int) -> Delivery:
        """Draw the voice of an utterance with an emotion, given by its number in `EMOTIONS`."""
        form = deliveries.OPEN if self.outgoing else deliveries.HELD
        strength = self.expressiveness * float(random.uniform(*STRENGTH))
        return weighted_sum((1, self.tone), (strength, form[EMOTIONS[emotion]]), (1, draw_around_zero(MOMENT, random)))

    def draw_expression(self, random: np.random.Generator, emotion: int) -> Expression:
        """Draw the face of an utterance with an emotion, given by its number in `EMOTIONS`."""
        form = expressions.OPEN if self.outgoing else expressions.HELD
        strength = self.expressiveness * float(random.uniform(*STRENGTH))
        parts = (1, self.resting), (strength, form[EMOTIONS[emotion]]), (1, draw_around_zero(TWITCH, random))
        return weighted_sum(*parts).clipped()


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
    """A colour with the given brightness in grey, because face detectors use grey pictures."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, 1.0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return tuple(round(min(255.0, part * brightness / grey)) for part in (red, green, blue))  # type: ignore[return-value]


def weighted_sum(*parts: tuple[float, Controls]) -> Controls:
    """The weighted sum of controls, field by field.

    Example:
        >>> from sdt.puppets.expressions import Expression
        >>> weighted_sum((1, Expression(jaw=0.5)), (0.5, Expression(frown=1))).frown
        0.5
    """
    names = [field.name for field in dataclasses.fields(parts[0][1])]
    return type(parts[0][1])(**{name: sum(weight * getattr(part, name) for weight, part in parts) for name in names})


def draw_around_zero(deviation: Controls, random: np.random.Generator) -> Controls:
    """Draw controls from normal distributions with mean 0 and the given standard deviations."""
    fields = dataclasses.fields(deviation)
    drawn = random.normal(size=len(fields)).tolist()
    return type(deviation)(**{f.name: getattr(deviation, f.name) * x for f, x in zip(fields, drawn, strict=True)})
