"""`sdt.train`: training from Python, in memory or in a run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from sdt.api.run import Run
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.models.base import Model
from sdt.models.registry import register
from sdt.training.callbacks import Callback
from sdt.training.display import Display
from sdt.training.recipe import changed, load_recipe
from sdt.training.run import train as train_in_folder
from sdt.training.run import train_in_memory
from sdt.training.settings import Recipe


def train(
    recipe: Recipe | str | Path | Mapping[str, object],
    corpus: Corpus | str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    model: type[Model] | None = None,
    callbacks: Sequence[Callback] = (),
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Train a model.

    The result does not depend on `output`, `callbacks` and `progress`, and is the same as that of `sdt train` with the
    same settings, machine, versions and number of threads.

    Args:
        recipe: A recipe, a recipe file, the name of a shipped recipe, or settings by their keys, such as
            `{"training.epochs": 5, "model.width": 64}`; other settings have their defaults.
        corpus: A corpus or its folder; None for that of the recipe.
        settings: Settings that differ from the recipe, by their keys.
        model: The class of your own model, instead of the setting `architecture`. Its settings are in the group that is
            called like its file: `{"my_model.width": 64}`.
        callbacks: Receive the progress; see `sdt.Callback`.
        output: A run folder, from which the run can be resumed; None keeps everything in memory and writes nothing.
        resume: Resume the run in `output`, if there is one.
        overwrite: Replace the run in `output`.
        progress: Whether to print the progress.

    Raises:
        InputError: A setting is wrong, the corpus does not match the recipe, `output` is not empty, or a loss is not
            finite.
    """
    if (resume or overwrite) and output is None:
        raise InputError(f"{'resume' if resume else 'overwrite'}: needs a run folder; give output")
    if isinstance(recipe, Mapping):
        settings, recipe = {**recipe, **(settings or {})}, Recipe()
    elif not isinstance(recipe, Recipe):
        recipe = load_recipe(Path(recipe))
    given = {"architecture": register(model)} if model else {}
    recipe = changed(recipe, {**given, **(settings or {})})
    if corpus is None:
        if recipe.corpus is None:
            raise InputError("train: no corpus; give one, or a recipe that names one")
        corpus = recipe.corpus
    corpus = corpus if isinstance(corpus, Corpus) else Corpus.open(corpus)
    display = Display() if progress else Display(Console(quiet=True))
    if output is None:
        return Run.in_memory(*train_in_memory(recipe, corpus, display=display, callbacks=callbacks))
    recipe = dataclasses.replace(recipe, corpus=str(corpus.folder))
    folder = train_in_folder(
        recipe, Path(output), resume=resume, overwrite=overwrite, display=display, callbacks=callbacks
    )
    return Run.open(folder.path, corpus)
