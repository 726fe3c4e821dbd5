"""Predictions of groups of models under disturbances.

Shapes: N annotated utterances, R runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from sdt.analysis.robustness.disturbances import (
    Disturbance,
    Missing,
    Noise,
    OtherFeatures,
    Progress,
    UnknownSpeakers,
    feature_deviations,
    no_progress,
)
from sdt.analysis.robustness.prediction_cache import PredictionCache, PredictionKey
from sdt.analysis.robustness.words import text_modality, word_errors
from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.outputs import run_model
from sdt.evaluation.system import System
from sdt.files import sha256
from sdt.models.base import Model
from sdt.models.config import FUSED, ModelConfig
from sdt.training.group import Group


@dataclass(frozen=True)
class Levels:
    """Levels of the disturbances by kind; a kind without levels is omitted."""

    missing: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0)
    """Missing modalities: shares of the utterances."""
    noise: Sequence[float] = (0.5, 1.0, 2.0, 4.0)
    """Noise: standard deviations of each feature."""
    speakers: Sequence[float] = (0.5, 1.0)
    """Unknown speakers: shares of the utterances."""
    words: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5)
    """Word errors: word error rates."""


@dataclass(frozen=True)
class TestedGroup:
    """A group of models in a robustness test."""

    __test__ = False  # not a test, despite its name

    group: Group
    system: System
    """The predictions on undisturbed input."""
    corpus: Corpus
    """The corpus."""
    split: str
    """The tested split."""

    @cached_property
    def conversations(self) -> Sequence[Conversation]:
        """The conversations of the split."""
        return self.corpus.split(self.split)

    @cached_property
    def models(self) -> list[str]:
        """The SHA-256 of the parameters of each model."""
        return [sha256(run.model / "model.safetensors") for run in self.group.runs]

    @cached_property
    def config(self) -> ModelConfig:
        """The configuration of the first model; the others differ only in their temperatures."""
        return Model.from_pretrained(self.group.runs[0].path).config


@dataclass(frozen=True, eq=False)
class Curve:
    """The predictions of a group under one disturbance."""

    name: str
    """Name of the disturbance."""
    axis: str
    """Unit of the level."""
    systems: Mapping[float, System]
    """Level to predictions; 0 is undisturbed."""


@dataclass(frozen=True)
class RobustnessTrial:
    """A group and the disturbances to test it with."""

    subject: TestedGroup
    """The group."""
    disturbances: Sequence[Disturbance]
    """The disturbances."""
    notes: Sequence[str]
    """Omitted disturbances and the reasons, one line each."""

    def conversations(self, disturbance: Disturbance) -> int:
        """The number of conversations to prepare and to predict under a disturbance."""
        times = self.subject.group.size + disturbance.prepares
        return len(self.subject.conversations) * times * len(disturbance.levels)


def plan_trials(subjects: Sequence[TestedGroup], levels: Levels, seed: int) -> list[RobustnessTrial]:
    """Plan the disturbances of groups.

    Args:
        subjects: The groups; those with the same corpus and text encoder share the features of word errors.
        levels: Levels of the disturbances.
        seed: Random seed.
    """
    made: dict[tuple[str, str], OtherFeatures] = {}
    return [_trial(subject, levels, seed, made) for subject in subjects]


def _trial(
    subject: TestedGroup, levels: Levels, seed: int, made: dict[tuple[str, str], OtherFeatures]
) -> RobustnessTrial:
    config, found, notes = subject.config, list[Disturbance](), list[str]()
    if levels.missing:
        found += [Missing(modality, levels.missing, seed) for modality in config.modalities]
    if levels.noise:
        found += [Noise(m, levels.noise, seed, feature_deviations(subject.corpus, m)) for m in config.modalities]
    if levels.speakers and config.uses_speakers:
        found.append(UnknownSpeakers(levels.speakers, seed, config.speakers.count))
    elif levels.speakers:
        notes.append(f"{subject.system.name}: speakers unknown: omitted, because the models do not use speakers")
    if levels.words:
        base = subject.group.runs[0].model
        try:
            key = subject.corpus.fingerprint, config.encoders[text_modality(config, base)]
            if key not in made:
                made[key] = word_errors(config, base, subject.corpus, subject.conversations, levels.words, seed)
            found.append(made[key])
        except InputError as error:
            notes.append(f"{subject.system.name}: words wrong: omitted: {error}")
    return RobustnessTrial(subject, found, notes)


def measure(
    subject: TestedGroup,
    disturbance: Disturbance,
    points: PredictionCache,
    seed: int,
    device: torch.device | None = None,
    progress: Progress = no_progress,
) -> Curve:
    """Run every model of a group under a disturbance, at every level.

    Args:
        subject: The group.
        disturbance: The disturbance.
        points: Cache of the predictions.
        seed: Random seed of the disturbance.
        device: Device.
        progress: Called with the number of finished conversations; see `RobustnessTrial.conversations`.

    Raises:
        InputError: A model cannot be loaded.
    """
    systems = {0.0: subject.system}
    for level in disturbance.levels:
        keys = [
            PredictionKey(model, subject.corpus.fingerprint, subject.split, disturbance.name, level, seed)
            for model in subject.models
        ]
        predicted = _level(subject, disturbance, keys, points, device, progress)
        systems[level] = replace(subject.system, predicted=predicted)
    return Curve(disturbance.name, disturbance.axis, systems)


def _level(
    subject: TestedGroup,
    disturbance: Disturbance,
    keys: Sequence[PredictionKey],
    points: PredictionCache,
    device: torch.device | None,
    progress: Progress,
) -> npt.NDArray[np.int64]:
    """The class numbers [R, N] predicted by all models of a group at one level."""
    size = len(subject.system.utterance_keys)
    change = None
    rows = []
    for run, key in zip(subject.group.runs, keys, strict=True):
        predicted = points.get(key, size)
        if predicted is None:
            change = change or disturbance.at(key.level, progress)
            model = Model.from_pretrained(run.path)
            outputs = run_model(
                model, subject.corpus, subject.conversations, device=device, change=change, progress=progress
            )
            number = np.array([subject.system.labels.index(label) for label in model.config.labels], dtype=np.int64)
            classes = number[outputs.probabilities[FUSED].argmax(axis=1)]
            by_key = dict(zip(outputs.utterance_keys, classes.tolist(), strict=True))
            predicted = np.array([by_key[key] for key in subject.system.utterance_keys], dtype=np.int64)
            points.put(key, predicted)
        else:
            progress(len(subject.conversations))
        rows.append(predicted)
    if change is None and disturbance.prepares:
        progress(len(subject.conversations))
    return np.array(rows)
