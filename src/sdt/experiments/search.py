"""Hyperparameter search: Optuna proposes settings, scores on dev select them, and test is never used.

    SEARCH/search.json        recipe, space, seeds, command, environment
    SEARCH/study.sqlite       Optuna's record of the trials
    SEARCH/trials/0007/seed-0 the run folder of a trial, without its model
    SEARCH/results.json       trials, budget, the best settings
    SEARCH/best.yaml          a recipe with the best settings

The objective is the best weighted F1 on dev, averaged over the seeds. The first trial has the settings of the recipe if
they are in the space. A trial is pruned if its first seed is below the median of the other trials at the same epoch
(Akiba, Sano, Yanase, Ohta, Koyama: "Optuna", KDD 2019). The sampler of each trial is seeded by the trial's number, and
interrupted trials resume, so an interrupted search has the same trials as an uninterrupted one.
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
from sdt.training.callbacks import Callback, StartedRun
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.recipe import changed, flat
from sdt.training.run import train
from sdt.training.settings import Recipe

if TYPE_CHECKING:
    import optuna

FILE = "search.json"


class PrunedError(Exception):
    """A trial is stopped because its score is below that of the others."""


class PruningCallback(Callback):
    """Reports the score of every epoch on dev to Optuna and stops pruned trials."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._reported = set(trial.study.trials[trial.number].intermediate_values)

    def start(self, run: StartedRun) -> None:
        """Report the previous epochs of a resumed trial."""
        for line in run.history:
            self.epoch(line)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Report an epoch.

        Raises:
            PrunedError: The trial is pruned.
        """
        if line["epoch"] not in self._reported:
            self._trial.report(line["dev"][FUSED]["weighted_f1"], line["epoch"])
        if self._trial.should_prune():
            raise PrunedError


@dataclass(frozen=True)
class Trial:
    """One trial, as recorded by Optuna and its runs."""

    number: int
    """Number of the trial, from 0."""
    state: str
    """`complete`, `pruned`, `failed` or `running`."""
    score: float | None
    """Weighted F1 on dev, averaged over the seeds; None if the trial is not complete."""
    settings: Mapping[str, object]
    """The settings of the trial."""
    epochs: int
    """Number of epochs of all runs."""
    seconds: float
    """Seconds of training and scoring."""
    error: str | None
    """The error of a failed trial."""


class Search:
    """A search in a folder.

    Args:
        folder: The search folder; see the module docstring.
        recipe: The common recipe of all trials.
        space: The search space.
        seeds: Seeds of the runs of each trial.

    Raises:
        MissingDependencyError: Optuna is not installed.
        InputError: The recipe selects the epoch on test.
    """

    def __init__(self, folder: Path, recipe: Recipe, space: Sequence[Dimension], seeds: Sequence[int]) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingDependencyError(
                "sdt search needs Optuna; install it with: pip install 'sdt-erc[search]'"
            ) from None
        if recipe.training.protocol != "validation":
            raise InputError(
                f"training.protocol: {recipe.training.protocol}, but a search selects on dev; use "
                "--training.protocol validation"
            )
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self.folder, self.recipe, self.space, self.seeds = folder, recipe, space, seeds

    @cached_property
    def study(self) -> optuna.Study:
        """Optuna's study, created at the first access."""
        storage = self._optuna.storages.RDBStorage(f"sqlite:///{self.folder / 'study.sqlite'}")
        # Scores of the first epochs, and the median of less than five trials, are not informative.
        pruner = self._optuna.pruners.MedianPruner(5, max(1, self.recipe.training.epochs // 5))
        study = self._optuna.create_study(
            storage=storage, pruner=pruner, study_name="search", direction="maximize", load_if_exists=True
        )
        if not study.trials and (own := self._own_settings()):
            study.enqueue_trial(own)
        return study

    def close(self) -> None:
        """Close the database."""
        if "study" in self.__dict__:
            storage: Any = self.study._storage
            storage.remove_session()
            getattr(storage, "_backend", storage).engine.dispose()

    def settings(self, trial: Trial) -> Recipe:
        """The recipe of a trial."""
        return changed(self.recipe, trial.settings)

    def trial(self, display: Display) -> Trial:
        """Run the next trial, or resume the interrupted one.

        Raises:
            KeyboardInterrupt: Ctrl-C; the trial can resume.
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
            # Only the settings are needed; the models of all trials could fill the disk.
            shutil.rmtree(run / "checkpoint", ignore_errors=True)
            shutil.rmtree(run / "model", ignore_errors=True)
        return self.trials[trial.number]

    @property
    def trials(self) -> list[Trial]:
        """All trials that have started, by number."""
        return [self._read(trial) for trial in self.study.trials if trial.state.name != "WAITING"]

    @property
    def ended(self) -> list[Trial]:
        """All trials that have ended."""
        return [trial for trial in self.trials if trial.state != "running"]

    @property
    def best(self) -> Trial | None:
        """The first complete trial with the highest score; None without a complete trial."""
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
        """Seed the sampler by the trial's number, so that settings do not depend on interruptions."""
        self.study.sampler = self._optuna.samplers.TPESampler(seed=number)

    def _recipe(self, trial: optuna.Trial) -> Recipe:
        settings = {dimension.key: dimension.suggest(trial) for dimension in self.space}
        trial.set_user_attr("settings", settings)
        recipe = changed(self.recipe, settings)
        return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, test="never"), output=None)

    def _run(self, recipe: Recipe, seed: int, trial: optuna.Trial, display: Display) -> float:
        """Train one run of a trial; returns its score on dev."""
        callbacks = [PruningCallback(trial)] if seed == self.seeds[0] else []
        folder = self._place(trial.number) / f"seed-{seed}"
        run = train(dataclasses.replace(recipe, seed=seed), folder, resume=True, display=display, callbacks=callbacks)
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
