"""What puppets feel and why: a Markov model with inertia within a puppet and contagion between puppets.

The next emotion of a puppet is drawn from a softmax over

    MOOD + temperament + inertia * [its own last emotion] + contagion * REACTION[the last emotion of another puppet]

so that the utterances around one, and who spoke them, say something about it that the utterance itself does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EMOTIONS = ("neutral", "joy", "surprise", "anger", "sadness", "fear", "disgust")

MOOD = np.array([1.15, 0.15, 0.1, 0.05, 0.0, -0.25, -0.65])
"""Log-odds of each emotion when nothing else pulls; neutral is the most frequent, disgust the rarest."""

REACTION = np.array(
    [
        # neutral  joy  surprise anger sadness fear disgust    what another puppet just felt:
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # neutral calms
        [0.0, 1.6, 0.3, 0.0, -0.5, -0.5, 0.0],  # joy spreads
        [0.0, 0.6, 0.9, 0.0, 0.0, 0.6, 0.0],  # surprise delights or frightens
        [-0.5, -0.5, 0.0, 1.3, 0.4, 1.1, 0.2],  # anger provokes anger or fear
        [0.3, -0.6, 0.0, 0.0, 1.4, 0.0, 0.0],  # sadness is shared
        [0.0, -0.3, 0.5, 0.4, 0.0, 1.2, 0.0],  # fear spreads, startles and annoys
        [0.0, 0.4, 0.2, 0.7, 0.0, 0.0, 1.3],  # disgust spreads, amuses or offends
    ]
)
"""[felt by another, felt next]: what an emotion adds to the log-odds of the emotions of those who witness it."""


@dataclass(frozen=True)
class Temperament:
    """How one puppet feels in one conversation."""

    leaning: tuple[float, ...]
    """[C] log-odds that it adds to the mood."""
    inertia: float
    """How strongly it stays in its emotion."""
    contagion: float
    """How strongly the others' emotions move it."""

    @classmethod
    def draw(cls, random: np.random.Generator) -> Temperament:
        """A puppet picked from the trunk."""
        return cls(
            leaning=tuple(random.normal(0.0, 0.6, len(EMOTIONS)).tolist()),
            inertia=float(random.uniform(2.6, 3.8)),
            contagion=float(random.uniform(0.8, 1.6)),
        )


def next_emotion(random: np.random.Generator, temperament: Temperament, own: int | None, witnessed: int | None) -> int:
    """Draw what a puppet feels now.

    Args:
        random: The source of chance.
        temperament: The puppet's.
        own: The number of the emotion that it felt when it last spoke; None if it has not spoken yet.
        witnessed: The number of the emotion of the last utterance of another puppet; None if there was none.

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
