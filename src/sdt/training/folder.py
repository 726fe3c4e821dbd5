"""The run folder: its files, and checks before a run starts or resumes in it.

recipe.yaml        every setting
environment.json   corpus, versions, device, command
metrics.jsonl      one line per epoch; all values except those under `seconds` are deterministic
checkpoint/        checkpoints of an unfinished run, see `checkpoint.py`
model/             the selected model
best/              epoch-NNNN/ models of the best epochs, see `training.keep_best`; only if it is above 1
predictions/       SPLIT.jsonl
sealed/            test scores of every epoch, never used for selection, see `test_monitor.py`
scores.json        written last; a run with this file is finished
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sdt.errors import InputError
from sdt.evaluation.scores import ClassScores, Scores, score_metrics
from sdt.files import atomic_folder, write_text
from sdt.training.checkpoint import last_epoch
from sdt.training.recipe import dump_recipe, flat, load_recipe
from sdt.training.settings import Recipe

# Paths do not affect results; the content of the corpus is compared by its fingerprint.
_NOT_COMPARED = ("corpus", "output")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    @property
    def best(self) -> Path:
        """The folder of the models of the best epochs."""
        return self.path / "best"

    @property
    def test_monitor(self) -> Path:
        """The folder of the test scores of every epoch, which must not be used for selection."""
        return self.path / "sealed"

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return (self.path / "scores.json").is_file()

    @property
    def epochs_done(self) -> int:
        """The epoch after which the run can resume."""
        return last_epoch(self.checkpoint)

    def begin(self, recipe: Recipe, environment: Mapping[str, Any], *, resume: bool, overwrite: bool) -> bool:
        """Create the folder, or check that it contains this run.

        Returns:
            Whether there is a run to resume.

        Raises:
            InputError: The folder contains a run and neither `resume` nor `overwrite` is set; the run to resume has
                other settings or another corpus; or the folder is not empty and not a run folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: is a file; name a folder with --output")
        if self.path.is_dir() and any(self.path.iterdir()):
            if not (self.path / "recipe.yaml").is_file():
                raise InputError(f"{self.path}: is not empty and not a run folder; name another folder with --output")
            if resume:
                before = self._check_same(recipe, environment)
                self._clean()
                if not self.finished:
                    self._note_resumption(before, environment)
                return True
            if not overwrite:
                state = "a finished run" if self.finished else f"an unfinished run ({self.epochs_done} epochs done)"
                raise InputError(
                    f"{self.path}: contains {state}; resume it with --resume, replace it with --overwrite, or name "
                    "another folder with --output"
                )
        with atomic_folder(self.path, overwrite=True) as aside:
            (aside / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
            (aside / "environment.json").write_text(_json(environment), encoding="utf-8")
        return False

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write metrics.jsonl."""
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in history))

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read the lines of metrics.jsonl; empty if the file does not exist.

        Raises:
            InputError: The file is damaged.
        """
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); train again with --overwrite") from None

    def write_scores(self, values: Mapping[str, Any]) -> None:
        """Write scores.json, which finishes the run, and remove the checkpoint."""
        write_text(self.path / "scores.json", _json(values))
        self.remove_checkpoint()

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint folder, which a finished run does not need."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def read_scores(self) -> tuple[dict[str, Any], dict[str, dict[str, Scores]]]:
        """Read scores.json.

        Returns:
            The content, and the scores by split and classifier.

        Raises:
            InputError: The file is missing or damaged.
        """
        path = self.path / "scores.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            splits = {
                split: {
                    classifier: scores_from_dict(of_classifier) for classifier, of_classifier in classifiers.items()
                }
                for split, classifiers in values["scores"].items()
            }
            for key in ("protocol", "corpus", "corpus_sha256", "seed"):
                values[key]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: missing or damaged ({error}); train again with --overwrite") from None
        return values, splits

    def _check_same(self, recipe: Recipe, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Check that recipe and corpus are those of the run; returns the environment in which the run started."""
        saved, wanted = flat(load_recipe(self.path / "recipe.yaml")), flat(recipe)
        for key in wanted | saved:
            if key not in _NOT_COMPARED and saved.get(key) != wanted.get(key):
                raise InputError(
                    f"{self.path}: cannot resume with other settings: {key} is {_shown(saved.get(key))} in the run, "
                    f"but {_shown(wanted.get(key))} now; use the settings of the run, or name another folder with "
                    "--output"
                )
        file = self.path / "environment.json"
        try:
            before: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            fingerprint: str = before["corpus_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file}: missing or damaged ({error}); restart the run with --overwrite") from None
        if fingerprint != environment["corpus_sha256"]:
            raise InputError(
                f"{self.path}: cannot resume with another corpus: the fingerprint of the run's corpus is "
                f"{fingerprint[:12]}, that of {environment['corpus']} is {environment['corpus_sha256'][:12]}"
            )
        return before

    def _note_resumption(self, before: dict[str, Any], environment: Mapping[str, Any]) -> None:
        """Record the environment of a resumed run: another machine or version may compute different numbers."""
        keys = (
            "started", "command", "device", "hardware", "processes", "backend", "platform", "python", "torch", "numpy",
            "sdt",
        )  # fmt: skip
        again = {"after_epoch": self.epochs_done, **{key: environment[key] for key in keys}}
        values = {**before, "resumed": [*before.get("resumed", []), again]}
        write_text(self.path / "environment.json", _json(values))

    def _clean(self) -> None:
        """Remove temporary files of writes that were killed (see `sdt.files`)."""
        outside = [self.path.parent.glob(f".{self.path.name}.*{end}") for end in (".partial", ".old")]
        inside = [self.path.rglob(f".*{end}") for end in (".partial", ".old")]
        for path in [path for found in (*outside, *inside) for path in list(found)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def scores_from_dict(values: Mapping[str, Any]) -> Scores:
    """Create scores from the result of `Scores.to_dict`.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: The values are damaged.
    """
    for number in (values["accuracy"], values["weighted_f1"], values["macro_f1"]):
        if not 0 <= number <= 1:
            raise ValueError(f"{number} is not a score")
    confusion = np.array(values["confusion"], dtype=np.int64)
    if confusion.shape != (len(values["classes"]),) * 2 or not confusion.any():
        raise ValueError("the confusion matrix does not fit the classes, or is empty")
    # Files of earlier versions do not have metrics that were added later.
    computed = score_metrics(confusion)
    return Scores(
        metrics={name: float(values.get(name, value)) for name, value in computed.items()},
        classes={label: ClassScores(**of_class) for label, of_class in values["classes"].items()},
        confusion=confusion,
    )


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _shown(value: object) -> str:
    return "null" if value is None else repr(value)
