"""Trains a model: from a recipe to a finished run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.training.display import Display
from sdt.training.environment import environment, repeatable
from sdt.training.epochs import TrainingRun
from sdt.training.finish import finish
from sdt.training.folder import RunFolder
from sdt.training.processes import ALONE, Processes
from sdt.training.recipe import resolved
from sdt.training.settings import Recipe
from sdt.training.trackers import Tracker


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    display: Display | None = None,
    command: Sequence[str] = (),
    trackers: Sequence[Tracker] = (),
    processes: Processes = ALONE,
) -> RunFolder:
    """Train by a recipe.

    The same recipe, corpus, machine, versions and number of threads give the same numbers, bit for bit, interrupted or
    not.

    Where several processes train together, all of them call this with the same arguments. The first alone writes and
    shows; what the others do with `folder`, `display` and `trackers` is nothing.

    Args:
        recipe: The settings; `recipe.output` is not looked at.
        folder: The run folder.
        resume: Go on with the run in `folder` if there is one; one that is finished is left as it is.
        overwrite: Replace the run in `folder`.
        display: Where to show progress.
        command: The command line, for environment.json.
        trackers: What else gets the metrics of a run that is not finished yet.
        processes: Those that train together.

    Raises:
        InputError: The corpus is damaged or does not fit the recipe; the folder is taken; a loss is not finite.
        KeyboardInterrupt: Ctrl-C; the run can resume from its checkpoint.
        LostProcessError: A process that trained with this one has ended; the run can resume from its checkpoint.
    """
    recipe, corpus = processes.barrier(lambda: _read(recipe))
    _check_same_corpus(corpus, processes)
    device = processes.device(recipe.training.device)
    if not processes.first:
        display, trackers = Display(Console(quiet=True)), ()
    run = processes.barrier(
        partial(TrainingRun, recipe, corpus, device, RunFolder(folder), display or Display(), trackers, processes)
    )
    surroundings = environment(corpus, device, command, processes=processes) if processes.first else {}
    begin = partial(run.folder.begin, recipe, surroundings, resume=resume, overwrite=overwrite)
    going_on = processes.by_first(begin)
    if processes.broadcast(lambda: going_on and run.folder.finished):
        processes.by_first(run.folder.remove_checkpoint)
        return run.folder
    with repeatable(), contextlib.ExitStack() as ending:
        run.train(ending)
        finish(run, surroundings)
    return run.folder


def _read(recipe: Recipe) -> tuple[Recipe, Corpus]:
    """The recipe complete, and its corpus."""
    recipe = resolved(recipe)
    if recipe.corpus is None:
        raise InputError("the recipe names no corpus: give --corpus FOLDER")
    corpus = Corpus.open(recipe.corpus)
    corpus.verify(lines=False)  # the fingerprint that the run keeps has to be that of what it read
    return recipe, corpus


def _check_same_corpus(corpus: Corpus, processes: Processes) -> None:
    """Machines could have different corpora in the same place."""
    wanted = processes.broadcast(lambda: corpus.fingerprint)

    def check() -> None:
        if corpus.fingerprint != wanted:
            raise InputError(
                f"{corpus.folder}: its fingerprint is {corpus.fingerprint[:12]}, that of the first process' corpus "
                f"{wanted[:12]}; all need the same"
            )

    processes.barrier(check)
