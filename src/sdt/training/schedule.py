"""The learning rate, a function of the step: nothing of it has to be saved."""

from __future__ import annotations

import math

from sdt.training.settings import Training


def learning_rate(training: Training, step: int, steps: int) -> float:
    """The learning rate of one step.

    Args:
        training: `learning_rate` is the height, `warmup` the share of the steps until it is reached, `schedule` what
            follows.
        step: 0 for the first step of the run.
        steps: Steps of the whole run.

    Returns:
        In the warm-up a rise in equal parts, the first of them above 0; then a constant, or a fall (linear, or half a
        cosine) that would reach 0 in the step after the last.
    """
    rising = round(training.warmup * steps)
    if step < rising:
        return training.learning_rate * (step + 1) / (rising + 1)
    share = (step - rising) / (steps - rising)  # of the way down, in [0, 1)
    if training.schedule == "linear":
        return training.learning_rate * (1 - share)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return training.learning_rate
