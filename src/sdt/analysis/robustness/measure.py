"""Predicts with groups of models under every disturbance.

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
    deviations,
    ignore,
)
from sdt.analysis.robustness.prediction_cache import PredictionCache, PredictionKey
from sdt.analysis.robustness.words import text_modality, wrong_words
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
    """How strong the disturbances are, by kind; a kind without levels is left out."""

    missing: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0)
    """Shares of the utterances."""
    noise: Sequence[float] = (0.5, 1.0, 2.0, 4.0)
    """Standard deviations of each feature."""
    speakers: Sequence[float] = (0.5, 1.0)
    """Shares of the utterances."""
    words: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5)
    """Word error rates."""


@dataclass(frozen=True)
class TestedGroup:
    """A group of models whose input is disturbed."""

    __test__ = False  # not a test, despite its name

    group: Group
    system: System
    """What it says undisturbed."""
    corpus: Corpus
    split: str

    @cached_property
    def conversations(self) -> Sequence[Conversation]:
        """Of the split."""
        return self.corpus.split(self.split)

    @cached_property
    def models(self) -> list[str]:
        """The SHA-256 of each model's parameters."""
        return [sha256(run.model / "model.safetensors") for run in self.group.runs]

    @cached_property
    def config(self) -> ModelConfig:
        """Of the first model; those of the others differ in their temperatures alone."""
        return Model.from_pretrained(self.group.runs[0].path).config


@dataclass(frozen=True, eq=False)
class Curve:
    """What a group says under one disturbance."""

    name: str
    axis: str
    """What the level measures."""
    systems: Mapping[float, System]
    """By level; 0 is undisturbed."""


@dataclass(frozen=True)
class RobustnessTrial:
    """A group and the disturbances that can be tried on it."""

    subject: TestedGroup
    disturbances: Sequence[Disturbance]
    notes: Sequence[str]
    """Which of those that were asked for cannot be tried, and why, one line each."""

    def conversations(self, disturbance: Disturbance) -> int:
        """How many conversations will be prepared and read under a disturbance."""
        times = self.subject.group.size + disturbance.prepares
        return len(self.subject.conversations) * times * len(disturbance.levels)


def plan_trials(subjects: Sequence[TestedGroup], levels: Levels, seed: int) -> list[RobustnessTrial]:
    """Find the disturbances that can be tried on groups.

    Args:
        subjects: The groups. Those that read the same words by the same encoder share their wrong words.
        levels: How strong the disturbances are.
        seed: Of what is drawn.
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
        found += [Noise(m, levels.noise, seed, deviations(subject.corpus, m)) for m in config.modalities]
    if levels.speakers and config.uses_speakers:
        found.append(UnknownSpeakers(levels.speakers, seed, config.speakers.count))
    elif levels.speakers:
        notes.append(f"{subject.system.name}: speakers unknown: left out: the models do not look at speakers")
    if levels.words:
        base = subject.group.runs[0].model
        try:
            key = subject.corpus.fingerprint, config.encoders[text_modality(config, base)]
            if key not in made:
                made[key] = wrong_words(config, base, subject.corpus, subject.conversations, levels.words, seed)
            found.append(made[key])
        except InputError as error:
            notes.append(f"{subject.system.name}: words wrong: left out: {error}")
    return RobustnessTrial(subject, found, notes)


def measure(
    subject: TestedGroup,
    disturbance: Disturbance,
    points: PredictionCache,
    seed: int,
    device: torch.device | None = None,
    progress: Progress = ignore,
) -> Curve:
    """Run every model of a group under a disturbance, at every level.

    Args:
        subject: The group.
        disturbance: The disturbance.
        points: What was made before is taken from there, what is made is kept there.
        seed: Of the disturbance.
        device: Where to compute.
        progress: Called with the number of conversations done; see `RobustnessTrial.conversations`.

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
    """The class numbers [R, N] that all models of a group say at one level."""
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
            said = number[outputs.probabilities[FUSED].argmax(axis=1)]
            at = dict(zip(outputs.utterance_keys, said.tolist(), strict=True))
            predicted = np.array([at[place] for place in subject.system.utterance_keys], dtype=np.int64)
            points.put(key, predicted)
        else:
            progress(len(subject.conversations))
        rows.append(predicted)
    if change is None and disturbance.prepares:
        progress(len(subject.conversations))
    return np.array(rows)
