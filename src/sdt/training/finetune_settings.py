"""Settings of fine-tuning a text encoder, and the batches of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:  # the command line lists these settings, and has no time for NumPy
    import numpy as np

GROUP = 25
"""Batches whose texts are sorted by length together."""


@dataclass(frozen=True)
class FineTuning:
    """How a text encoder is fine-tuned."""

    encoder: str = "minilm"
    """Which model: `minilm`, or the folder of a Hugging Face encoder; with `:mean` or `:first` for its pooling."""
    lora: bool = False
    """Train a low-rank adapter (E. Hu et al., "LoRA", 2021) of every linear map, and leave the model as it is."""
    rank: int = 8
    """The adapter's rank."""
    alpha: int = 16
    """The adapter's scale: its product of matrices is multiplied by alpha / rank."""
    epochs: int = 3
    batch: int = 32
    """Utterances per batch."""
    learning_rate: float | None = None
    """The highest rate; by default 2e-5, with an adapter 5e-4."""
    head_learning_rate: float = 1e-3
    """The highest rate of the linear classifier, which begins at random."""
    layer_decay: float = 1.0
    """Each layer's rate is that of the layer above it times this: the lower ones change less."""
    warmup: float = 0.1
    """The share of the steps in which the rate rises; then it falls to zero in a straight line."""
    weight_decay: float = 0.01
    """Of AdamW."""
    dropout: float = 0.1
    """Before the classifier."""
    label_smoothing: float = 0.0
    class_weights: bool = False
    """Weigh the classes in the loss by the inverse of their frequency."""
    clip: float = 1.0
    """The longest gradient."""
    tokens: int = 128
    """Tokens that are read at once; of a longer utterance an epoch trains on one piece, and scores pool all."""
    seed: int = 0

    def __post_init__(self) -> None:
        rules: dict[tuple[str, ...], tuple[str, Callable[[float], bool]]] = {
            ("rank", "alpha", "epochs", "batch"): ("at least 1", lambda x: x >= 1),
            ("tokens",): ("at least 4", lambda x: x >= 4),
            ("seed", "weight_decay"): ("not below 0", lambda x: x >= 0),
            ("head_learning_rate", "clip", "layer_decay"): ("above 0", lambda x: x > 0),
            ("warmup", "dropout", "label_smoothing"): ("at least 0 and below 1", lambda x: 0 <= x < 1),
        }
        wrong = [
            f"{name} {getattr(self, name)}: {rule}"
            for names, (rule, holds) in rules.items()
            for name in names
            if not (math.isfinite(getattr(self, name)) and holds(getattr(self, name)))
        ]
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            wrong.append(f"learning_rate {self.learning_rate}: above 0")
        if wrong:
            raise InputError(f"fine-tuning: {wrong[0]} is needed")

    @property
    def rate(self) -> float:
        """The highest learning rate of the encoder."""
        return self.learning_rate or (5e-4 if self.lora else 2e-5)


def epoch_batches(lengths: Sequence[int], batch: int, generator: np.random.Generator) -> list[list[int]]:
    """Shuffle texts into batches of similar length, so that little is padded.

    Texts are shuffled, sorted within groups of `GROUP` batches, cut into batches, and the batches are shuffled. Sorting
    all of them would put the same short cries together in every epoch.

    Args:
        lengths: Tokens of each text.
        batch: Texts per batch.
        generator: Of the epoch.

    Returns:
        The texts' numbers, each once.
    """
    order = generator.permutation(len(lengths))
    batches = []
    for first in range(0, len(order), GROUP * batch):
        group = sorted(order[first : first + GROUP * batch].tolist(), key=lambda index: lengths[index])
        batches += [group[at : at + batch] for at in range(0, len(group), batch)]
    return [batches[index] for index in generator.permutation(len(batches))]


def share_of_rate(step: int, steps: int, warmup: float) -> float:
    """The share of the highest learning rate at a step from 0: up in a straight line, then down to zero in another."""
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)
