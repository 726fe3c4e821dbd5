"""The models, corpora and output folders of commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError
from sdt.files import check_writable

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus


def model_path(name: str) -> Path:
    """The folder of a model.

    Args:
        name: A model folder, a run folder, the name of a bundled model, or a hub id.

    Raises:
        InputError: The model is missing, or the training of the run is not finished.
    """
    from sdt.models.hub import find_model

    check_finished(Path(name))
    return find_model(name)


def check_finished(run: Path) -> None:
    """Refuse a run whose training was stopped between its last epoch and scores.json.

    Raises:
        InputError: The training of the run was stopped.
    """
    if (run / "checkpoint").is_dir() and not (run / "scores.json").is_file():
        raise InputError(f"{run}: this run is not finished; resume it with: sdt train RECIPE --resume")


def open_corpus(name: str, folder: Path | None, alternative: str = "") -> Corpus:
    """Open the corpus in a folder, or the one that a run used.

    Args:
        name: The model.
        folder: The corpus; None for the run's.
        alternative: What else the user can do if the model is not a run folder; ends the error message.

    Raises:
        InputError: The model names no corpus, or the folder contains none.
    """
    from sdt.training.group import open_corpus_of_run

    if folder is None and not (Path(name) / "environment.json").is_file():
        raise InputError(f"{name}: not a run folder that names its corpus; give one with --corpus FOLDER{alternative}")
    return open_corpus_of_run(Path(name), folder)


def check_new_folder(output: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that cannot be written, before the work rather than after it.

    Raises:
        InputError: The folder is a file, contains files although `overwrite` is false, or is not writable.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise InputError(f"{output}: exists already; give another folder, or --overwrite to replace it")
    check_writable(output)
