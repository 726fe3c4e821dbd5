"""The sequence of emotions: a Markov model with inertia within a speaker and contagion between speakers.

The next emotion of a puppet is drawn from the softmax of

    MOOD + temperament + inertia * [its own last emotion] + contagion * REACTION[the last emotion of another puppet]

so that the context of an utterance and its speakers are informative about its emotion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EMOTIONS = ("neutral", "joy", "surprise", "anger", "sadness", "fear", "disgust")

MOOD = np.array([1.15, 0.15, 0.1, 0.05, 0.0, -0.25, -0.65])
"""[C] log-odds of each emotion without other effects; neutral is the most frequent, disgust the rarest."""

REACTION = np.array(
    [
        # neutral  joy  surprise anger sadness fear disgust    the last emotion of another puppet:
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # neutral calms
        [0.0, 1.6, 0.3, 0.0, -0.5, -0.5, 0.0],  # joy spreads
        [0.0, 0.6, 0.9, 0.0, 0.0, 0.6, 0.0],  # surprise delights or frightens
        [-0.5, -0.5, 0.0, 1.3, 0.4, 1.1, 0.2],  # anger provokes anger or fear
        [0.3, -0.6, 0.0, 0.0, 1.4, 0.0, 0.0],  # sadness is shared
        [0.0, -0.3, 0.5, 0.4, 0.0, 1.2, 0.0],  # fear spreads, startles and annoys
        [0.0, 0.4, 0.2, 0.7, 0.0, 0.0, 1.3],  # disgust spreads, amuses or offends
    ]
)
"""[C, C] the effect of the last emotion of another puppet (rows) on the log-odds of the next emotion (columns)."""


@dataclass(frozen=True)
class Temperament:
    """The emotional parameters of one puppet in one conversation."""

    leaning: tuple[float, ...]
    """[C] log-odds that are added to the mood."""
    inertia: float
    """The weight of its own last emotion."""
    contagion: float
    """The weight of the emotions of others."""

    @classmethod
    def draw(cls, random: np.random.Generator) -> Temperament:
        """Draw a random temperament."""
        return cls(
            leaning=tuple(random.normal(0.0, 0.6, len(EMOTIONS)).tolist()),
            inertia=float(random.uniform(2.6, 3.8)),
            contagion=float(random.uniform(0.8, 1.6)),
        )


def next_emotion(random: np.random.Generator, temperament: Temperament, own: int | None, witnessed: int | None) -> int:
    """Draw the next emotion of a puppet.

    Args:
        random: The random generator.
        temperament: The temperament of the puppet.
        own: The number of its emotion in its last utterance; None for its first utterance.
        witnessed: The number of the emotion of the last utterance of another puppet; None without such an utterance.

    Returns:
        The number of the emotion in `EMOTIONS`.
    """
    odds = MOOD + np.array(temperament.leaning)  # [C]
    if own is not None:
        odds[own] += temperament.inertia
    if witnessed is not None:
        odds += temperament.contagion * REACTION[witnessed]
    p = np.exp(odds - odds.max())
    return int(random.choice(len(EMOTIONS), p=p / p.sum()))
