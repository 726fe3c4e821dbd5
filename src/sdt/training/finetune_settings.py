"""Settings of fine-tuning a text encoder, and the batches of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdt.encoders.text_context import TextContext
from sdt.errors import InputError

if TYPE_CHECKING:  # NumPy and torch would slow down the command line, which lists these settings
    import numpy as np

    from sdt.device import Precision

GROUP = 25
"""Number of batches whose texts are sorted by length as one group."""


@dataclass(frozen=True)
class FineTuning:
    """Settings of fine-tuning a text encoder."""

    encoder: str = "minilm"
    """The model: `minilm` or the folder of a Hugging Face encoder, with `:mean` or `:first` for its pooling."""
    lora: bool = False
    """Train a low-rank adapter (E. Hu et al., "LoRA", 2021) of every linear layer and freeze the model."""
    rank: int = 8
    """Rank of the adapter."""
    alpha: int = 16
    """Scale of the adapter: its matrix product is multiplied by alpha / rank."""
    epochs: int = 3
    """Number of epochs."""
    batch: int = 32
    """Number of utterances per batch."""
    learning_rate: float | None = None
    """Peak learning rate; None for 2e-5, or 5e-4 with an adapter."""
    head_learning_rate: float = 1e-3
    """Peak learning rate of the linear classifier."""
    layer_decay: float = 1.0
    """Factor between the learning rates of a layer and the layer above it; below 1, lower layers change less."""
    warmup: float = 0.1
    """Fraction of the steps in which the learning rate increases; it then decreases linearly to 0."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    dropout: float = 0.1
    """Dropout before the classifier."""
    label_smoothing: float = 0.0
    """Label smoothing of the cross-entropy."""
    class_weights: bool = False
    """Weight the classes in the loss by their inverse frequency."""
    soft_labels: bool = False
    """Train on the shares of the annotators' labels of an utterance (`Utterance.annotations`) instead of its label."""
    symbols: bool = False
    """Add tokens for emoji, emoticons and capitals, see `finetune_symbols`."""
    int8: bool = False
    """Store the weights of the encoder in int8, a quarter of the size; the scores are those of the stored weights."""
    clip: float = 1.0
    """Maximum norm of the gradient."""
    tokens: int = 128
    """Maximum number of tokens per piece; training uses one piece of a longer utterance, evaluation pools all. With a
    context, the maximum number of tokens of an utterance with its context."""
    context: TextContext | None = None
    """The neighbouring utterances that the encoder reads; None for single utterances."""
    precision: Precision = "auto"
    """`bfloat16` computes matrix products in bfloat16, which is several times as fast on a CPU with AVX512-BF16 or AMX;
    `auto` uses it on GPUs that support it, and on CPUs with AMX for wide models."""
    seed: int = 0
    """Random seed."""

    def __post_init__(self) -> None:
        rules: dict[tuple[str, ...], tuple[str, Callable[[float], bool]]] = {
            ("rank", "alpha", "epochs", "batch"): ("at least 1", lambda x: x >= 1),
            ("tokens",): ("at least 4", lambda x: x >= 4),
            ("seed", "weight_decay"): ("at least 0", lambda x: x >= 0),
            ("head_learning_rate", "clip", "layer_decay"): ("above 0", lambda x: x > 0),
            ("warmup", "dropout", "label_smoothing"): ("at least 0 and below 1", lambda x: 0 <= x < 1),
        }
        wrong = [
            f"{name} {getattr(self, name)} is not {rule}"
            for names, (rule, holds) in rules.items()
            for name in names
            if not (math.isfinite(getattr(self, name)) and holds(getattr(self, name)))
        ]
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            wrong.append(f"learning_rate {self.learning_rate} is not above 0")
        if self.int8 and self.lora:
            wrong.append("int8 applies to a whole encoder, not to an adapter")
        if wrong:
            raise InputError(f"fine-tuning: {wrong[0]}")

    @property
    def rate(self) -> float:
        """The peak learning rate of the encoder."""
        return self.learning_rate or (5e-4 if self.lora else 2e-5)


def epoch_batches(lengths: Sequence[int], batch: int, generator: np.random.Generator) -> list[list[int]]:
    """Shuffle texts into batches of similar length, to reduce padding.

    Texts are shuffled, sorted within groups of `GROUP` batches and split into batches, which are shuffled. Sorting all
    texts at once would put the same short texts into the same batches in every epoch.

    Args:
        lengths: Number of tokens of each text.
        batch: Number of texts per batch.
        generator: Random generator of the epoch.

    Returns:
        Batches of indices of texts; every index occurs once.
    """
    order = generator.permutation(len(lengths))
    batches = []
    for first in range(0, len(order), GROUP * batch):
        group = sorted(order[first : first + GROUP * batch].tolist(), key=lambda index: lengths[index])
        batches += [group[at : at + batch] for at in range(0, len(group), batch)]
    return [batches[index] for index in generator.permutation(len(batches))]


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate at a step (from 0) relative to its peak: linear warm-up, then linear decay to 0."""
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)
