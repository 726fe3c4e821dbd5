"""Made-up test sets and systems whose real accuracy is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sdt.evaluation.system import System

LABELS = ("calm", "cross", "glad", "sad")
PRIOR = (0.5, 0.25, 0.15, 0.1)


class World:
    """A test set of so many conversations, some of them easier than others for everybody."""

    def __init__(self, conversations: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.lengths = self.random.integers(2, 20, size=conversations)
        self.conversation = np.repeat(np.arange(conversations), self.lengths)
        self.true = self.random.choice(len(LABELS), size=len(self.conversation), p=PRIOR)
        self.ease = self._of_conversation(0.15)
        self.utterance_keys = tuple(
            (f"c{number}", f"u{index}") for number, length in enumerate(self.lengths) for index in range(length)
        )

    def _of_conversation(self, deviation: float) -> npt.NDArray[np.float64]:
        return self.random.normal(0, deviation, size=len(self.lengths))[self.conversation]

    def system(self, name: str, accuracy: float, runs: int = 1) -> System:
        """A system that is right with this probability, on the average; where it is wrong it guesses."""
        predicted = []
        for _ in range(runs):
            right = self.random.random(len(self.true)) < accuracy + self.ease + self._of_conversation(0.1)
            guess = self.random.choice(len(LABELS), size=len(self.true), p=PRIOR)
            predicted.append(np.where(right, self.true, guess))
        seeds = tuple(range(runs))
        return System(name, LABELS, self.utterance_keys, self.true, np.array(predicted), seeds)
