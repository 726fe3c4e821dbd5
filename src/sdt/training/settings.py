"""The settings of a training run: the content of a recipe.

The attribute docstrings are the help of the command line. This file does not import torch.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sdt.errors import InputError, near_miss
from sdt.models.config import Architecture, Objective
from sdt.models.registry import MODELS, SDT_NAME, check_reference, group
from sdt.text import parse_call

SCHEDULES = ("constant", "linear", "cosine")
"""Schedules without arguments."""
MAX_RATE = 100
"""The largest value in `training.sampling`."""
ClassWeights = Literal["none", "inverse"] | list[float] | dict[str, float]


@dataclass(frozen=True)
class Training:
    """Training settings; the defaults are those published for IEMOCAP, except for the class weights."""

    epochs: int = 150
    """Maximum number of passes over the training conversations."""
    batch_conversations: int = 16
    """Number of conversations per batch."""
    batch_utterances: int | None = None
    """Maximum number of utterances per batch, instead of a number of conversations; groups conversations of similar
    length."""
    accumulation: int = 1
    """Number of parts in which each batch is computed, one after the other, which needs less memory. The gradients of
    the parts add up to that of the batch; dropout draws other masks."""
    learning_rate: float = 1e-4
    """Peak learning rate of the schedule."""
    weight_decay: float = 1e-5
    """L2 penalty (adam: added to the gradient, as published; adamw: decoupled from it)."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """The optimizer."""
    schedule: str = "constant"
    """Learning rate after the warm-up: constant; linear or cosine, decreasing to 0 at the last step; or
    plateau(factor,patience), multiplied by the factor after more than `patience` epochs without a better score."""
    warmup: float = 0.0
    """Fraction of all steps in which the learning rate increases linearly to its peak."""
    clip: float | None = None
    """Maximum norm of the gradient; larger gradients are scaled down."""
    early_stopping: int | None = None
    """Stop after this number of epochs without a better score."""
    class_weights: ClassWeights = "none"
    """Class weights of the cross-entropies: none; inverse, training utterances / utterances of the class; a list of
    numbers in the order of the labels; or a mapping from label to number."""
    modality_dropout: float = 0.0
    """Probability of dropping a modality of a whole conversation in a training batch; one modality is always kept."""
    modality_noise: float = 0.0
    """Probability of noise on a modality of a whole conversation in a training batch, of up to two standard deviations
    of each feature."""
    protocol: Literal["validation", "published"] = "validation"
    """Selection of the epoch: validation, on dev; published, on test, training on train and dev, as the published
    numbers were made."""
    selection: str = "weighted_f1"
    """Metric of the fused classifier that selects the epoch, also for early stopping and the schedule plateau:
    weighted_f1, accuracy, macro_f1 or one that an installed package registers."""
    keep_best: int = 1
    """Number of best epochs whose models are saved. For 2 or more they are in the folder `best` of the run, besides
    the model of the best epoch."""
    test: Literal["sealed", "once", "never"] = "sealed"
    """When the protocol validation scores test: sealed, after every epoch, recorded separately and never used for
    selection, to report what selecting on test would have given; once, with the selected parameters; or never. The
    selected parameters do not depend on it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; auto uses a CUDA device if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of matrix products; auto uses bfloat16 on GPUs, and on CPUs with AMX for wide models."""
    curriculum: str = "none"
    """Order of the training conversations over the epochs: none; or shifts(E), from those with few emotion shifts of
    their speakers to all, which are reached in epoch E; shifts alone reaches them after a third of the epochs."""
    sampling: dict[str, float] | None = None
    """Number of times that an epoch has the conversations of a joined corpus, such as {everyday: 3, comments: 0.25};
    null for once."""
    averaging: str = "none"
    """Weights that are evaluated, selected and saved: none, those of the last step; ema(decay), their exponential
    moving average over the steps; or last(k), their mean over the last k epochs."""
    checkpoint_every: int = 1
    """Number of epochs between checkpoints: the most that a killed run repeats. Results do not depend on it."""

    def __post_init__(self) -> None:
        at_least_one = (
            *("epochs", "batch_conversations", "batch_utterances", "checkpoint_every", "early_stopping"),
            *("accumulation", "keep_best"),
        )
        for name in at_least_one:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"training.{name}: {getattr(self, name)} is less than 1")
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"training.{name}: {value} is not a number above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"training.weight_decay: {self.weight_decay} is not a number of 0 or more")
        for name in ("warmup", "modality_dropout", "modality_noise"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"training.{name}: {getattr(self, name)} is not in [0, 1)")
        parse_averaging(self.averaging)
        parse_plateau(self.schedule)
        if self.selection != "weighted_f1":
            from sdt.evaluation.metrics import metrics  # reads the entry points of packages

            if self.selection not in metrics():
                raise InputError(f"training.selection: {self.selection!r}{near_miss(self.selection, metrics())}")
        parse_curriculum(self.curriculum, self.epochs)
        for name, rate in (self.sampling or {}).items():
            if not 0 <= rate <= MAX_RATE:
                raise InputError(f"training.sampling: {name}: {rate} is not in [0, {MAX_RATE}]")
        if self.sampling and self.curriculum != "none":
            raise InputError("training.sampling: cannot be combined with training.curriculum")
        if self.protocol == "published" and self.test == "never":
            raise InputError("training.test: never, but the protocol published chooses the epoch on test")


def parse_averaging(text: str) -> tuple[str, float] | None:
    """Parse the setting `training.averaging`.

    Returns:
        `("ema", decay)` or `("last", k)`; None for no averaging.

    Raises:
        InputError: The setting is invalid.
    """
    if text == "none":
        return None
    match parse_call(text):
        case ("ema", decay):
            if not 0 < decay < 1:
                raise InputError(f"training.averaging: {text}, but the decay must be between 0 and 1")
            return "ema", decay
        case ("last", count) if count == int(count):
            if count < 1:
                raise InputError(f"training.averaging: {text} averages nothing; the smallest is last(1)")
            return "last", count
    raise InputError(f"training.averaging: {text!r}{near_miss(text, ('none', 'ema(0.999)', 'last(5)'))}")


@dataclass(frozen=True)
class Plateau:
    """The schedule `plateau(factor,patience)`."""

    factor: float
    patience: int


def parse_plateau(schedule: str) -> Plateau | None:
    """Parse the setting `training.schedule`.

    Returns:
        The arguments of a plateau; None for the other schedules.

    Raises:
        InputError: The setting is invalid.
    """
    if schedule in SCHEDULES:
        return None
    if match := re.fullmatch(r"plateau\((\d*\.?\d+), ?(\d{1,9})\)", schedule):
        if not 0 < float(match[1]) < 1:
            raise InputError(f"training.schedule: {schedule}, but the factor must be between 0 and 1")
        return Plateau(float(match[1]), int(match[2]))
    raise InputError(f"training.schedule: {schedule!r}{near_miss(schedule, (*SCHEDULES, 'plateau(0.5,3)'))}")


def parse_curriculum(text: str, epochs: int) -> int:
    """Parse the setting `training.curriculum`.

    Args:
        text: The setting.
        epochs: Maximum number of epochs of the run.

    Returns:
        The first epoch with all conversations; 0 for no curriculum.

    Raises:
        InputError: The setting is invalid.
    """
    if text in ("none", "shifts"):
        return 0 if text == "none" else max(2, epochs // 3)
    match parse_call(text):
        case ("shifts", first) if first == int(first):
            if not 2 <= first <= epochs:
                raise InputError(
                    f"training.curriculum: {text}, but the epoch must be between 2 and training.epochs {epochs}"
                )
            return int(first)
    raise InputError(f"training.curriculum: {text!r}{near_miss(text, ('none', 'shifts', 'shifts(10)'))}")


@dataclass(frozen=True)
class CrossValidation:
    """Settings of cross-validation; see `sdt.corpus.folds`."""

    folds: int | None = None
    """Number of folds, into which the conversations of all splits are divided; null for the splits of the corpus, or
    for a fold per group of `leave_out`."""
    leave_out: str | None = None
    """Column that names groups of conversations, each of which is in one fold: speaker, session (IEMOCAP), or one that
    sdt corpus import --keep kept."""
    fold: int = 1
    """Number of the fold to test on, from 1."""
    dev_share: float = 0.1
    """Share of the other conversations that selects the epoch; the rest is trained on."""
    seed: int = 0
    """Seed of the division; runs with other seeds have the same folds."""

    def __post_init__(self) -> None:
        if self.folds is not None and self.folds < 2:
            raise InputError(f"cross_validation.folds: {self.folds} is less than 2")
        if self.fold < 1:
            raise InputError(f"cross_validation.fold: {self.fold} is less than 1")
        if self.seed < 0:
            raise InputError(f"cross_validation.seed: {self.seed} is negative")
        if not 0 < self.dev_share < 1:
            raise InputError(f"cross_validation.dev_share: {self.dev_share} is not between 0 and 1")

    @property
    def enabled(self) -> bool:
        """Whether the run has folds instead of the splits of the corpus."""
        return self.folds is not None or self.leave_out is not None


def _recipes() -> Any:  # noqa: ANN401 - a module, which imports this one
    return importlib.import_module("sdt.training.recipe")


_TAKEN = (
    "corpus",
    "output",
    "seed",
    "modalities",
    "architecture",
    "model",
    "objective",
    "training",
    "cross_validation",
    "own",
)
"""Keys of a recipe that no group of a custom model can have."""


@dataclass(frozen=True)
class Recipe:
    """All settings of a run. Together with the corpus and the machine they determine its results."""

    corpus: str | None = None
    """The corpus folder."""
    output: str | None = None
    """The run folder; null for runs/RECIPE-seedSEED."""
    seed: int = 0
    """Seed of the initial parameters, the order of the conversations and dropout."""
    modalities: tuple[str, ...] | None = None
    """Modalities to train on, separated by commas; null for all modalities of the corpus."""
    architecture: str = SDT_NAME
    """The model: sdt, a baseline (sdt models lists them), or your own as FILE.py:CLASS or MODULE:CLASS."""
    model: Architecture = field(default_factory=Architecture)
    """Settings of SDT."""
    objective: Objective = field(default_factory=Objective)
    """Settings of the loss."""
    training: Training = field(default_factory=Training)
    """Settings of the training."""
    cross_validation: CrossValidation = field(default_factory=CrossValidation)
    """Settings of cross-validation."""
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

    @classmethod
    def load(cls, recipe: str | Path, settings: Mapping[str, object] | None = None) -> Recipe:
        """Read a recipe.

        Args:
            recipe: A YAML file, or the name of a shipped recipe, such as `meld`.
            settings: Settings that differ from it, by their keys.

        Raises:
            InputError: The file cannot be read, or a key or a value is wrong.
        """
        loaded: Recipe = _recipes().load_recipe(Path(recipe))
        return loaded.with_settings(settings or {})

    def with_settings(self, settings: Mapping[str, object]) -> Recipe:
        """A copy with other settings.

        Args:
            settings: Values by their keys, as on the command line: `{"training.epochs": 5, "model.width": 64}`.

        Raises:
            InputError: A key or a value is wrong, or contradicts another.
        """
        found: Recipe = _recipes().changed(self, settings)
        return found

    @property
    def settings_of_model(self) -> Any:  # noqa: ANN401 - every model has settings of its own
        """The settings of the architecture; see `own`. None if they are all defaults and nobody has named them."""
        return self.model if self.architecture == SDT_NAME else self.own.get(group(self.architecture))
