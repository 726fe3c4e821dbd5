"""Groups of finished runs that differ only in their seed.

The user refers to a group by a run folder, a folder whose subfolders are such runs (`runs/full` with `seed-1/`,
`seed-2/`), or a quoted pattern (`'runs/full-*'`).
"""

from __future__ import annotations

import contextlib
import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sdt.corpus.selection import label_counts
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.predicted import PredictionFile, read_prediction_file
from sdt.evaluation.remarks import Remark, calibration_remarks, fusion_gain, score_remarks, train_remarks
from sdt.evaluation.scores import Scores, caveat
from sdt.evaluation.seeds import Summary
from sdt.evaluation.system import System, Truth
from sdt.models.config import FUSED
from sdt.models.registry import find_imported
from sdt.training.division import divided
from sdt.training.folder import RunFolder
from sdt.training.probabilities import SplitProbabilities, read_probabilities
from sdt.training.recipe import flat, load_recipe
from sdt.training.test_monitor import TestSelection

SAME = ("protocol", "corpus", "corpus_sha256")
"""Values of scores.json that must be the same in all runs, in addition to the recipe."""


@dataclass(frozen=True)
class Group:
    """Finished runs that differ only in their seed."""

    name: str
    """The name given by the user."""
    runs: tuple[RunFolder, ...]
    """The runs, ordered by seed."""
    unfinished: tuple[Path, ...] = ()
    """Unfinished runs, which are excluded."""

    @classmethod
    def find(cls, name: str) -> Group:
        """Find the group of a path or pattern.

        Raises:
            InputError: There is no finished run; or see `of`.
        """
        path = Path(name)
        if path.is_dir():
            found = [path] if (path / "recipe.yaml").is_file() else sorted(path.iterdir())
        else:
            found = sorted(Path(at) for at in glob.glob(name))  # noqa: PTH207 - a pattern may be absolute
        runs = [at for at in found if (at / "recipe.yaml").is_file()]
        if not runs:
            raise _no_run(name, [at for at in found if any(at.glob("*/recipe.yaml"))])
        finished = [at for at in runs if RunFolder(at).finished]
        group = cls.of(name, finished or runs)
        return replace(group, unfinished=tuple(at for at in runs if at not in finished))

    @classmethod
    def of(cls, name: str, runs: Sequence[Path]) -> Group:
        """Create the group of finished runs.

        Raises:
            InputError: A folder is not a finished run, two runs have the same seed, or runs differ in more than the
                seed.
        """
        folders = [RunFolder(path) for path in runs]
        for folder in folders:
            if not folder.finished:
                advice = "resume it: sdt train RECIPE --resume" if (folder.path / "recipe.yaml").is_file() else ""
                raise InputError(f"{folder.path}: not a finished run{advice and f'; {advice}'}")
        seeds = {folder.path: folder.read_scores()[0]["seed"] for folder in folders}
        group = cls(name, tuple(sorted(folders, key=lambda folder: (seeds[folder.path], folder.path))))
        group._check()
        return group

    @cached_property
    def _read(self) -> list[tuple[dict[str, Any], dict[str, dict[str, Scores]]]]:
        return [run.read_scores() for run in self.runs]

    @property
    def size(self) -> int:
        """The number of runs."""
        return len(self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(values["seed"] for values, _ in self._read)

    @property
    def scores(self) -> list[dict[str, dict[str, Scores]]]:
        """The scores of each run, by split and classifier."""
        return [scores for _, scores in self._read]

    @property
    def values(self) -> dict[str, Any]:
        """The first run's scores.json; `protocol`, `corpus` and `corpus_sha256` are the same in all runs."""
        return self._read[0][0]

    @property
    def caveat(self) -> str | None:
        """The caveat that accompanies every score; None if there is none."""
        return caveat(self.values)

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """The objective terms that trained the runs: `task`, `hard`, `soft`."""
        if "terms" in self.values:
            return tuple(self.values["terms"])
        recipe = load_recipe(self.runs[0].path / "recipe.yaml")  # a run of an earlier version
        kind = find_imported(recipe.architecture)
        return tuple(term for term in (kind.terms if kind else ("task",)) if getattr(recipe.objective, term) > 0)

    def probabilities(self, split: str) -> list[SplitProbabilities]:
        """The fused probabilities of each run on a split.

        Raises:
            InputError: They are missing or damaged.
        """
        return [read_probabilities(run, split) for run in self.runs]

    @property
    def branches(self) -> tuple[str, ...]:
        """The trained classifiers other than the fused one."""
        classifiers = next(iter(self._read[0][1].values()), {})
        return (
            tuple(classifier for classifier in classifiers if classifier != FUSED)
            if {"hard", "soft"} & set(self.terms)
            else ()
        )

    @property
    def distilled(self) -> bool:
        """Whether the branches were distilled from the fused classifier."""
        return "soft" in self.terms and bool(self.branches)

    @property
    def fusion_gain(self) -> Remark | None:
        """The difference between the fused classifier and its best branch; None without branches."""
        return fusion_gain(self.name, self._unseen, (FUSED, *self.branches))

    @property
    def _unseen(self) -> list[dict[str, dict[str, Scores]]]:
        """The scores of each run on splits that were not used for training; the protocol `published` trains on dev."""
        seen = ("dev",) if self.caveat else ()
        return [{split: of for split, of in scores.items() if split not in seen} for _, scores in self._read]

    @cached_property
    def remarks(self) -> list[Remark]:
        """Remarks on unusual scores and temperatures; see `sdt.evaluation.remarks`."""
        scores = self._unseen
        found = list(score_remarks(self.name, scores, self.terms))
        for split in [split for split in ("test", "dev") if split in scores[0]][:1]:
            with contextlib.suppress(InputError):  # the predictions may have been removed
                runs = self.probabilities(split)
                before, after = zip(*(run.calibration_errors for run in runs), strict=True)
                found += calibration_remarks(self.name, split, [run.temperature for run in runs], before, after)
        with contextlib.suppress(InputError):  # the corpus may have been removed
            corpus = self.corpus()
            counts = label_counts(corpus.split("train"), corpus.labels).tolist()
            found += train_remarks(dict(zip(corpus.labels, counts, strict=True)), scores[0])
        return found

    def summary(self, split: str) -> Summary:
        """Compute mean and spread of the scores of a split.

        Raises:
            InputError: A run has no scores of the split.
        """
        for folder, (_, scores) in zip(self.runs, self._read, strict=True):
            if split not in scores:
                raise InputError(f"{folder.path}: no scores of split {split!r}; available: {', '.join(scores)}")
        return Summary.of([scores[split] for _, scores in self._read])

    @cached_property
    def test_selections(self) -> list[Mapping[str, Scores] | None]:
        """Test scores of each run, by classifier, if its epoch were selected on test; None if not recorded."""
        chosen = [values.get("test_chosen") for values, _ in self._read]
        return [TestSelection.from_dict(of_run).scores if of_run else None for of_run in chosen]

    def predicted(self, split: str) -> list[PredictionFile]:
        """Read the predictions of each run on a split.

        Raises:
            InputError: A run has no predictions of the split.
        """
        paths = [run.path / "predictions" / f"{split}.jsonl" for run in self.runs]
        for path in paths:
            if not path.is_file():
                available = ", ".join(sorted(other.stem for other in path.parent.glob("*.jsonl")))
                raise InputError(f"{path}: no predictions of split {split!r}; available: {available}")
        return [read_prediction_file(path) for path in paths]

    def system(self, split: str, name: str | None = None) -> System:
        """Create a system for comparisons from the predictions of the runs.

        Args:
            split: `dev` or `test`.
            name: Name of the system; None for the name of the group.

        Raises:
            InputError: A run has no predictions of the split, they are damaged, or no utterance is annotated.
        """
        predicted = self.predicted(split)
        system = System.of(name or self.name, predicted, Truth.of_file(predicted[0]), self.seeds)
        caveats = [self.caveat] if self.caveat else []
        if self.unfinished:
            caveats.append(f"unfinished runs are excluded: {', '.join(map(str, self.unfinished))}")
        return system.with_provenance(self.values["corpus_sha256"], caveats)

    def corpus(self) -> Corpus:
        """Open the corpus of the runs.

        Raises:
            InputError: The corpus has been moved, removed or changed.
        """
        return self.check_corpus(open_corpus_of_run(self.runs[0].path))

    def check_corpus(self, corpus: Corpus) -> Corpus:
        """Check that this is the corpus of the runs, and return it.

        Raises:
            InputError: It is another corpus.
        """
        if corpus.fingerprint != self.values["corpus_sha256"]:
            raise InputError(
                f"{corpus.folder}: not the corpus of {self.name} (fingerprint {corpus.fingerprint[:12]}, expected "
                f"{self.values['corpus_sha256'][:12]}); name the right one with --corpus FOLDER"
            )
        return divided(corpus, load_recipe(self.runs[0].path / "recipe.yaml"))

    def _check(self) -> None:
        """Check that all runs have the same corpus and settings, except for the seed and paths."""
        first, seeds = self.runs[0].path, self.seeds
        for folder, (values, _) in zip(self.runs, self._read, strict=True):
            for key in SAME:
                if values[key] != self.values[key]:
                    raise _differs(folder.path, key, values[key], first, self.values[key])
        recipes = [flat(load_recipe(folder.path / "recipe.yaml")) for folder in self.runs]
        for folder, recipe in zip(self.runs, recipes, strict=True):
            for key in recipes[0] | recipe:
                value, first_value = recipe.get(key), recipes[0].get(key)
                if key not in ("seed", "corpus", "output") and value != first_value:
                    raise _differs(folder.path, key, repr(value), first, repr(first_value))
        if len(set(seeds)) < len(seeds):
            raise InputError(f"{self.name}: the seeds {list(seeds)} contain duplicates; name each seed's run once")


def corpus_of_run(run: Path) -> Path:
    """Return the corpus folder recorded in a run's environment.json.

    Raises:
        InputError: The file does not exist, it is damaged, or the corpus has been moved or removed.
    """
    path = run / "environment.json"
    if not path.is_file():
        raise InputError(f"{run}: has no environment.json that names the corpus; name it with --corpus FOLDER")
    try:
        corpus = Path(json.loads(path.read_text(encoding="utf-8"))["corpus"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged ({type(error).__name__}: {error}); name the corpus with --corpus FOLDER"
        ) from None
    if not corpus.is_dir():
        raise InputError(f"{path}: the corpus {corpus} does not exist; name its present folder with --corpus FOLDER")
    return corpus


def open_corpus_of_run(run: Path, folder: Path | None = None) -> Corpus:
    """Open the corpus of a run, with the splits of its fold of cross-validation, if any.

    Args:
        run: The run folder, or a model folder.
        folder: The folder of the corpus; None for the one that the run recorded, see `corpus_of_run`.
    """
    corpus = Corpus.open(folder or corpus_of_run(run))
    recipe = run / "recipe.yaml"
    return divided(corpus, load_recipe(recipe)) if recipe.is_file() else corpus


def _no_run(name: str, groups: Sequence[Path]) -> InputError:
    if groups:
        return InputError(f"{name}: contains several groups of runs; name one of {', '.join(map(str, groups))}")
    return InputError(
        f"{name}: no run found; expected a run folder, a folder of runs that differ only in their seed, or a quoted "
        "pattern such as 'runs/mine-*'"
    )


def _differs(path: Path, key: str, value: object, first: Path, first_value: object) -> InputError:
    return InputError(
        f"{path}: {key} is {value}, but {first_value} in {first}; only runs that differ in nothing but the seed can be "
        "averaged"
    )
