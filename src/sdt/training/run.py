"""Training of a model, from a recipe to a finished run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from sdt.corpus.store import Corpus
from sdt.device import choose_device
from sdt.errors import InputError
from sdt.training.callbacks import Callback
from sdt.training.display import Display
from sdt.training.division import divided
from sdt.training.environment import deterministic, environment
from sdt.training.epochs import TrainingRun
from sdt.training.finish import Results, finish
from sdt.training.folder import RunFolder
from sdt.training.processes import SINGLE_PROCESS, Processes
from sdt.training.recipe import resolved
from sdt.training.settings import Recipe


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    display: Display | None = None,
    command: Sequence[str] = (),
    callbacks: Sequence[Callback] = (),
    processes: Processes = SINGLE_PROCESS,
) -> RunFolder:
    """Train a model according to a recipe.

    Results are bit-identical for the same recipe, corpus, machine, versions and number of threads, also if the run is
    interrupted and resumed.

    If several processes train a model, all of them call this function with the same arguments. Only the first process
    uses `folder`, `display` and `callbacks`.

    Args:
        recipe: The settings; `recipe.output` is ignored.
        folder: The run folder.
        resume: Resume the run in `folder`, if there is one; a finished run is not changed.
        overwrite: Replace the run in `folder`.
        display: Progress display.
        command: The command line, for environment.json.
        callbacks: Receive the progress of an unfinished run.
        processes: The processes of the run.

    Raises:
        InputError: The corpus is damaged or does not match the recipe, the folder is not empty, or a loss is not
            finite.
        KeyboardInterrupt: Ctrl-C; the run can resume from its checkpoint.
        LostProcessError: Another process of the run has ended; the run can resume from its checkpoint.
    """
    recipe, corpus = processes.barrier(lambda: _read(recipe))
    _check_same_corpus(corpus, processes)
    device = processes.device(recipe.training.device)
    if not processes.first:
        display, callbacks = Display(Console(quiet=True)), ()
    place = RunFolder(folder)
    run = processes.barrier(
        partial(TrainingRun, recipe, corpus, device, place, display or Display(), callbacks, processes)
    )
    surroundings = environment(corpus, device, command, processes=processes) if processes.first else {}
    begin = partial(place.begin, recipe, surroundings, resume=resume, overwrite=overwrite)
    resuming = processes.run_on_first(begin)
    if processes.broadcast(lambda: resuming and place.finished):
        processes.run_on_first(place.remove_checkpoint)
        return place
    _train(run, surroundings)
    return place


def train_in_memory(
    recipe: Recipe, corpus: Corpus, *, display: Display | None = None, callbacks: Sequence[Callback] = ()
) -> tuple[TrainingRun, Results]:
    """Train a model without a run folder: nothing is written, and the run cannot be resumed.

    Args:
        recipe: The settings; `recipe.corpus` and `recipe.output` are ignored.
        corpus: The corpus.
        display: Progress display.
        callbacks: Receive the progress.

    Returns:
        The run, whose model has the selected parameters, and its results; the same as with a run folder.

    Raises:
        InputError: The corpus does not match the recipe, or a loss is not finite.
    """
    recipe = resolved(recipe)
    corpus = divided(corpus, recipe)
    run = TrainingRun(recipe, corpus, choose_device(recipe.training.device), None, display or Display(), callbacks)
    return run, _train(run, {})


def _train(run: TrainingRun, surroundings: Mapping[str, Any]) -> Results:
    with deterministic(), contextlib.ExitStack() as exit_stack:
        run.train(exit_stack)
        return finish(run, surroundings)


def _read(recipe: Recipe) -> tuple[Recipe, Corpus]:
    """Resolve the recipe and open its corpus."""
    recipe = resolved(recipe)
    if recipe.corpus is None:
        raise InputError("the recipe does not name a corpus; name one with --corpus FOLDER")
    corpus = Corpus.open(recipe.corpus)
    corpus.verify(lines=False)  # the recorded fingerprint must be that of the data that the run reads
    return recipe, divided(corpus, recipe)


def _check_same_corpus(corpus: Corpus, processes: Processes) -> None:
    """Check that all processes have the same corpus: machines may have different corpora at the same path."""
    expected = processes.broadcast(lambda: corpus.fingerprint)

    def check() -> None:
        if corpus.fingerprint != expected:
            raise InputError(
                f"{corpus.folder}: the fingerprint is {corpus.fingerprint[:12]}, but {expected[:12]} in the first "
                "process; copy the same corpus to all machines"
            )

    processes.barrier(check)
