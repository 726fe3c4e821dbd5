"""Facial expression of emotions: the parameters of a face, and their values for each emotion.

The parameters are action units (AU) of the Facial Action Coding System, from 0 (at rest) to 1 (maximum). The open forms
are the published prototypes: joy 6+12, surprise 1+2+5+26, sadness 1+4+15, fear 1+2+4+5+20+26, anger 4+5+7 with bared
teeth, disgust 9+10+15. Withdrawn puppets show the held forms: weaker, with pressed lips and narrowed eyes, following
the display rules of Ekman and Friesen.

Faces are ambiguous between fear and surprise (raised brows, wide eyes), anger and disgust (lowered brows), and neutral
and sadness; voices and text are ambiguous between other pairs.

References:
    P. Ekman, W. V. Friesen and J. C. Hager, "Facial Action Coding System: Investigator's Guide", 2002.
    P. Ekman and W. V. Friesen, "The repertoire of nonverbal behavior", Semiotica 1 (1969).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expression:
    """The action units of a face."""

    inner_brow: float = 0.0
    """AU 1: the inner ends of the brows are raised."""
    outer_brow: float = 0.0
    """AU 2: the outer ends are raised."""
    frown: float = 0.0
    """AU 4: the brows are lowered and drawn together."""
    lids: float = 0.0
    """AU 5: the eyes are wide; negative values are AU 7 and 43: they are narrow."""
    cheeks: float = 0.0
    """AU 6: the cheeks are raised, under the eyes."""
    nose: float = 0.0
    """AU 9: the nose is wrinkled."""
    upper_lip: float = 0.0
    """AU 10: the upper lip is raised."""
    corners: float = 0.0
    """AU 12: the corners of the mouth are pulled up; negative values are AU 15: down."""
    stretch: float = 0.0
    """AU 20: the mouth is stretched sideways."""
    press: float = 0.0
    """AU 24: the lips are pressed together."""
    jaw: float = 0.0
    """AU 26: the jaw has dropped."""
    bow: float = 0.0
    """AU 54: the head is lowered; negative values are AU 53: raised."""

    def clipped(self) -> Expression:
        """Clip all values to their ranges."""
        both_ways = ("lids", "corners", "bow")
        found = {name: min(max(value, -float(name in both_ways)), 1.3) for name, value in vars(self).items()}
        return Expression(**found)


OPEN: dict[str, Expression] = {
    "neutral": Expression(),
    "joy": Expression(cheeks=0.9, corners=1.0, lids=-0.2, jaw=0.25, outer_brow=0.15, bow=-0.3),
    "surprise": Expression(inner_brow=0.9, outer_brow=1.0, lids=0.8, jaw=0.85, bow=-0.4),
    "anger": Expression(frown=1.0, lids=0.35, stretch=0.5, upper_lip=0.5, jaw=0.3, corners=-0.3, bow=0.3),
    "sadness": Expression(inner_brow=1.0, frown=0.35, lids=-0.5, corners=-0.9, bow=1.0),
    "fear": Expression(
        inner_brow=1.0, outer_brow=0.5, frown=0.4, lids=1.0, stretch=0.9, jaw=0.3, corners=-0.25, bow=-0.4
    ),
    "disgust": Expression(frown=0.6, lids=-0.6, nose=1.0, upper_lip=0.9, corners=-0.5),
}
"""The expressions of outgoing puppets."""

HELD: dict[str, Expression] = {
    "neutral": Expression(press=0.1),
    "joy": Expression(cheeks=0.3, corners=0.55, lids=-0.1, press=0.5),
    "surprise": Expression(inner_brow=0.5, outer_brow=0.7, lids=0.3, press=0.2),
    "anger": Expression(frown=0.6, lids=-0.5, press=1.0),
    "sadness": Expression(inner_brow=0.4, lids=-0.45, corners=-0.2, press=0.4, bow=0.5),
    "fear": Expression(inner_brow=0.6, outer_brow=0.3, lids=0.6, stretch=0.4, press=0.5),
    "disgust": Expression(frown=0.4, lids=-0.1, nose=0.45, upper_lip=0.3, corners=-0.35),
}
"""The expressions of withdrawn puppets."""
