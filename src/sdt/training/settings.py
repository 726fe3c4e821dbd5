"""What a recipe holds: every setting of a training run.

The attribute docstrings are the help of the command line; no torch here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sdt.errors import InputError
from sdt.models.config import Architecture, Objective
from sdt.models.registry import MODELS, SDT_NAME, check_reference, group

ClassWeights = Literal["none", "inverse"] | list[float] | dict[str, float]


@dataclass(frozen=True)
class Training:
    """How the parameters are learned; the defaults are the published IEMOCAP setting but for the class weights."""

    epochs: int = 150
    """Passes over the training conversations, at most."""
    batch_conversations: int = 16
    """Conversations in a batch."""
    batch_utterances: int | None = None
    """Instead, so many utterances in a batch at most, of conversations of like length; batches of like size."""
    learning_rate: float = 1e-4
    """The highest learning rate of the schedule."""
    weight_decay: float = 1e-5
    """L2 penalty (adam: added to the gradient, as published; adamw: decoupled from it)."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """The optimizer."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes on after the warm-up: it stays, or falls to 0 at the last step."""
    warmup: float = 0.0
    """Share of all steps in which the learning rate rises linearly to its height."""
    clip: float | None = None
    """Largest norm of the gradient of a step; a longer one is shortened to it."""
    early_stopping: int | None = None
    """Stop after so many epochs without a better score."""
    class_weights: ClassWeights = "none"
    """Weights of the classes in the cross-entropies: none; inverse, training utterances / utterances of the class; a
    number for every label in the corpus' order; or a mapping from label to number."""
    modality_dropout: float = 0.0
    """Probability that a training batch lacks a whole modality of a conversation; one modality always stays."""
    protocol: Literal["validation", "published"] = "validation"
    """How the epoch is chosen: validation, by the weighted F1 on dev; published, by the weighted F1 on test itself,
    training on train and dev, as the published numbers were made."""
    test: Literal["sealed", "once", "never"] = "sealed"
    """When the protocol validation scores test: sealed, after every epoch, into a file that nothing reads until the
    parameters are chosen, which tells what choosing on test would have given; once, with the chosen parameters;
    never. The chosen parameters do not depend on it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a CUDA device if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the matrix products; auto takes bfloat16 where that is fast."""
    checkpoint_every: int = 1
    """Epochs between two checkpoints; a killed run repeats at most these. The results do not depend on it."""

    def __post_init__(self) -> None:
        at_least_one = ("epochs", "batch_conversations", "batch_utterances", "checkpoint_every", "early_stopping")
        for name in at_least_one:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"training.{name}: {getattr(self, name)} is less than 1")
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"training.{name}: {value} is not a number above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"training.weight_decay: {self.weight_decay} is not a number of 0 or more")
        for name in ("warmup", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"training.{name}: {getattr(self, name)} is not in [0, 1)")
        if self.protocol == "published" and self.test == "never":
            raise InputError("training.test: never, but the protocol published chooses the epoch on test")


_TAKEN = ("corpus", "output", "seed", "modalities", "architecture", "model", "objective", "training", "own")
"""Keys of a recipe that no group of a custom model can have."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's numbers, together with the corpus' content and the machine."""

    corpus: str | None = None
    """The corpus folder."""
    output: str | None = None
    """The run folder; null for runs/RECIPE-seedSEED."""
    seed: int = 0
    """Seed of the initial parameters, the order of the conversations and every dropout."""
    modalities: tuple[str, ...] | None = None
    """Modalities to train on, by comma; null for all of the corpus."""
    architecture: str = SDT_NAME
    """The model: sdt, a baseline (sdt models lists them), or your own as FILE.py:CLASS or MODULE:CLASS."""
    model: Architecture = field(default_factory=Architecture)
    """SDT's settings."""
    objective: Objective = field(default_factory=Objective)
    """The loss' settings."""
    training: Training = field(default_factory=Training)
    """The training's settings."""
    own: Mapping[str, Any] = field(default_factory=dict, metadata={"setting": False})
    """Settings of other models than SDT by their group, the name of the model's file: its frozen dataclass of
    settings; or, while custom code is not imported, a mapping. In a file a group stands beside `model`."""

    def __post_init__(self) -> None:
        check_reference(self.architecture)
        if ":" in self.architecture and group(self.architecture) in (*_TAKEN, *MODELS):
            raise InputError(
                f"architecture: {self.architecture}: settings called {group(self.architecture)} are others; rename the "
                "file"
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed: {self.seed} is not in [0, 2^63)")
        if self.modalities is not None and (not self.modalities or len(set(self.modalities)) < len(self.modalities)):
            raise InputError(f"modalities: {list(self.modalities)} is not a list of different names")

    @property
    def settings_of_model(self) -> Any:  # noqa: ANN401 - every model has settings of its own
        """The settings of the architecture; see `own`. None if they are all defaults and nobody has named them."""
        return self.model if self.architecture == SDT_NAME else self.own.get(group(self.architecture))
