"""The model and the corpus that a command is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus


def finished_model(name: str) -> Path:
    """The folder of a model.

    Args:
        name: A model folder, a run folder, the name of a model in the box, or a hub id.

    Raises:
        InputError: There is no such model, or training was stopped between its last epoch and scores.json.
    """
    from sdt.models.hub import find_model

    check_finished(Path(name))
    return find_model(name)


def check_finished(run: Path) -> None:
    """Refuse a run whose training has not ended.

    Raises:
        InputError: Training was stopped between its last epoch and scores.json.
    """
    if (run / "checkpoint").is_dir() and not (run / "scores.json").is_file():
        raise InputError(f"{run}: this run is not finished; go on with it: sdt train RECIPE --resume")


def corpus_for(name: str, folder: Path | None, otherwise: str = "") -> Corpus:
    """The corpus in a folder, or the one that a run used.

    Args:
        name: The model.
        folder: The corpus; None for the run's.
        otherwise: What else can be done where the model is none of a run folder, as the end of a sentence.

    Raises:
        InputError: The model names no corpus, or there is none in that folder.
    """
    from sdt.corpus.store import Corpus
    from sdt.training.group import corpus_of_run

    if folder is None and not (Path(name) / "environment.json").is_file():
        raise InputError(f"{name}: is no run folder that names its corpus; give one with --corpus FOLDER{otherwise}")
    return Corpus.open(folder or corpus_of_run(Path(name)))
