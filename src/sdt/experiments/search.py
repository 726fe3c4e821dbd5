"""Hyperparameter search: Optuna proposes settings, dev scores select them, test is never read.

    SEARCH/search.json        recipe, space, seeds, command, environment
    SEARCH/study.sqlite       Optuna's record of the trials
    SEARCH/trials/0007/seed-0 the run folder of a trial, without its model
    SEARCH/results.json       trials, budget, the best settings
    SEARCH/best.yaml          a recipe with the best settings

The objective is the best weighted F1 on dev, the mean over the seeds. The first trial has the recipe's own settings, as
far as they lie in the space. A trial whose first seed does worse than the median of the others at the same epoch is
stopped (Akiba, Sano, Yanase, Ohta, Koyama: "Optuna", KDD 2019). Each trial's sampler is seeded by the trial's number,
and a trial that was broken off goes on, so a search that was interrupted makes the same trials.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sdt.errors import InputError, MissingDependencyError
from sdt.experiments.space import Dimension
from sdt.models.config import FUSED
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.recipe import changed, flat
from sdt.training.run import train
from sdt.training.settings import Recipe
from sdt.training.trackers import FinalScores

if TYPE_CHECKING:
    import optuna

FILE = "search.json"


class PrunedError(Exception):
    """A trial is stopped, since it does worse than the others."""


class Pruning:
    """Tells Optuna every epoch's score on dev, and stops the trial when it says so; a tracker of the run."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._told = set(trial.study.trials[trial.number].intermediate_values)

    def start(self, recipe: Recipe, folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
        """The epochs that a resumed trial has behind it."""
        del recipe, folder
        for line in history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """One epoch more.

        Raises:
            PrunedError: The trial is to end.
        """
        if line["epoch"] not in self._told:
            self._trial.report(line["dev"][FUSED]["weighted_f1"], line["epoch"])
        if self._trial.should_prune():
            raise PrunedError

    def finish(self, epoch: int, scores: FinalScores) -> None:
        """The score is read from the run."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class Trial:
    """One trial, as Optuna and its runs have kept it."""

    number: int
    state: str
    """`complete`, `pruned`, `failed` or `running`."""
    score: float | None
    """The weighted F1 on dev, the mean over the seeds; None if it is not complete."""
    settings: Mapping[str, object]
    epochs: int
    """Of all its runs."""
    seconds: float
    """Of training and scoring."""
    error: str | None


class Search:
    """A search in its folder.

    Args:
        folder: See the head of this file.
        recipe: What all trials have in common.
        space: What differs.
        seeds: Of each trial's runs.

    Raises:
        MissingDependencyError: Optuna is not installed.
        InputError: The recipe chooses on test.
    """

    def __init__(self, folder: Path, recipe: Recipe, space: Sequence[Dimension], seeds: Sequence[int]) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingDependencyError(
                "sdt search needs Optuna; install it with: pip install 'sdt-erc[search]'"
            ) from None
        if recipe.training.protocol != "validation":
            raise InputError("training.protocol: a search chooses on dev; give --training.protocol validation")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self.folder, self.recipe, self.space, self.seeds = folder, recipe, space, seeds

    @cached_property
    def study(self) -> optuna.Study:
        """Optuna's record; made when it is first asked for."""
        storage = self._optuna.storages.RDBStorage(f"sqlite:///{self.folder / 'study.sqlite'}")
        # The first epochs say little, and less than five trials have no median worth the name.
        pruner = self._optuna.pruners.MedianPruner(5, max(1, self.recipe.training.epochs // 5))
        study = self._optuna.create_study(
            storage=storage, pruner=pruner, study_name="search", direction="maximize", load_if_exists=True
        )
        if not study.trials and (own := self._own_settings()):
            study.enqueue_trial(own)
        return study

    def close(self) -> None:
        """Let go of the database."""
        if "study" in self.__dict__:
            storage: Any = self.study._storage
            storage.remove_session()
            getattr(storage, "_backend", storage).engine.dispose()

    def settings(self, trial: Trial) -> Recipe:
        """The recipe of a trial."""
        return changed(self.recipe, trial.settings)

    def trial(self, display: Display) -> Trial:
        """Make the next trial, or go on with the one that was broken off.

        Raises:
            KeyboardInterrupt: Ctrl-C; the trial can go on.
        """
        trial = self._next()
        tell = self.study.tell
        try:
            recipe = self._recipe(trial)
            scores = [self._run(recipe, seed, trial, display) for seed in self.seeds]
            tell(trial, sum(scores) / len(scores))
        except PrunedError:
            tell(trial, state=self._optuna.trial.TrialState.PRUNED)
        except (InputError, torch.cuda.OutOfMemoryError) as error:
            trial.set_user_attr("error", str(error))
            tell(trial, state=self._optuna.trial.TrialState.FAIL)
        for run in self._place(trial.number).glob("seed-*"):
            # Only the settings are wanted; a model for every trial could fill a disk.
            shutil.rmtree(run / "checkpoint", ignore_errors=True)
            shutil.rmtree(run / "model", ignore_errors=True)
        return self.trials[trial.number]

    @property
    def trials(self) -> list[Trial]:
        """All trials that have begun, by number."""
        return [self._read(trial) for trial in self.study.trials if trial.state.name != "WAITING"]

    @property
    def ended(self) -> list[Trial]:
        """All trials that have ended."""
        return [trial for trial in self.trials if trial.state != "running"]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest score, the first of them; None while there is none."""
        complete = [trial for trial in self.trials if trial.score is not None]
        return max(complete, key=lambda trial: (trial.score, -trial.number), default=None)

    def _next(self) -> optuna.Trial:
        for frozen in self.study.get_trials(deepcopy=False):
            if frozen.state.name == "RUNNING":
                self._seed_sampler(frozen.number)
                return self._optuna.trial.Trial(self.study, frozen._trial_id)
        self._seed_sampler(len(self.study.trials))
        return self.study.ask()

    def _seed_sampler(self, number: int) -> None:
        """Let a trial's settings depend on its number and on the trials before, and not on interruptions."""
        self.study.sampler = self._optuna.samplers.TPESampler(seed=number)

    def _recipe(self, trial: optuna.Trial) -> Recipe:
        settings = {dimension.key: dimension.suggest(trial) for dimension in self.space}
        trial.set_user_attr("settings", settings)
        recipe = changed(self.recipe, settings)
        return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, test="never"), output=None)

    def _run(self, recipe: Recipe, seed: int, trial: optuna.Trial, display: Display) -> float:
        """One run of a trial; returns its score on dev."""
        trackers = [Pruning(trial)] if seed == self.seeds[0] else []
        folder = self._place(trial.number) / f"seed-{seed}"
        run = train(dataclasses.replace(recipe, seed=seed), folder, resume=True, display=display, trackers=trackers)
        return run.read_scores()[1]["dev"][FUSED].weighted_f1

    def _place(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"

    def _own_settings(self) -> dict[str, object] | None:
        own = flat(self.recipe)
        found = {dimension.key: dimension.parameter(own[dimension.key]) for dimension in self.space}
        return None if None in found.values() else found

    def _read(self, trial: optuna.trial.FrozenTrial) -> Trial:
        lines = [line for run in self._place(trial.number).glob("seed-*") for line in RunFolder(run).read_metrics()]
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
        return Trial(
            number=trial.number,
            state=names[trial.state.name],
            score=trial.value if trial.state.name == "COMPLETE" else None,
            settings=trial.user_attrs.get("settings", {}),
            epochs=len(lines),
            seconds=sum(sum(line["seconds"].values()) for line in lines),
            error=trial.user_attrs.get("error"),
        )
