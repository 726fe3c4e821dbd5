"""A group of finished runs that differ only in their seed.

A group is named by a run folder, by a folder whose subfolders are such runs (`runs/full` with `seed-1/`, `seed-2/`), or
by a pattern (`'runs/full-*'`, in quotes).
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
from sdt.evaluation.predicted import Predicted, read_predicted
from sdt.evaluation.remarks import Remark, calibration_remarks, fusion_gain, score_remarks, train_remarks
from sdt.evaluation.scores import Scores, caveat
from sdt.evaluation.seeds import Summary
from sdt.evaluation.system import System, Truth
from sdt.models.config import FUSED
from sdt.models.registry import find_imported
from sdt.training.folder import RunFolder
from sdt.training.probabilities import SplitProbabilities, read_probabilities
from sdt.training.recipe import flat, load_recipe
from sdt.training.test_monitor import TestSelection

SAME = ("protocol", "corpus", "corpus_sha256")
"""What has to be the same in all runs, besides the recipe."""


@dataclass(frozen=True)
class Group:
    """Finished runs that differ in nothing but their seed."""

    name: str
    """What the user calls it."""
    runs: tuple[RunFolder, ...]
    """By seed."""
    unfinished: tuple[Path, ...] = ()
    """Runs beside them that are left out."""

    @classmethod
    def find(cls, name: str) -> Group:
        """The group that a path or a pattern means.

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
        """The group of some run folders, all of them finished.

        Raises:
            InputError: One is not a finished run; two have the same seed; or something else than the seed differs.
        """
        folders = [RunFolder(path) for path in runs]
        for folder in folders:
            if not folder.finished:
                advice = "resume it: sdt train RECIPE --resume" if (folder.path / "recipe.yaml").is_file() else ""
                raise InputError(f"{folder.path}: no finished run{advice and f'; {advice}'}")
        seeds = {folder.path: folder.read_scores()[0]["seed"] for folder in folders}
        group = cls(name, tuple(sorted(folders, key=lambda folder: (seeds[folder.path], folder.path))))
        group._check()
        return group

    @cached_property
    def _read(self) -> list[tuple[dict[str, Any], dict[str, dict[str, Scores]]]]:
        return [run.read_scores() for run in self.runs]

    @property
    def size(self) -> int:
        """How many runs."""
        return len(self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(values["seed"] for values, _ in self._read)

    @property
    def values(self) -> dict[str, Any]:
        """`protocol`, `corpus`, `corpus_sha256` of the runs, and what else the first one's scores.json holds."""
        return self._read[0][0]

    @property
    def caveat(self) -> str | None:
        """What has to stand beside every score."""
        return caveat(self.values)

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """The terms of the objective that the runs were trained by: `task`, `hard`, `soft`."""
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
        """The heads beside the fused prediction whose classifiers were trained."""
        heads = next(iter(self._read[0][1].values()), {})
        return tuple(head for head in heads if head != FUSED) if {"hard", "soft"} & set(self.terms) else ()

    @property
    def distilled(self) -> bool:
        """Whether the branches learned from the fused prediction."""
        return "soft" in self.terms and bool(self.branches)

    @property
    def fusion_gain(self) -> Remark | None:
        """By how much the fused prediction is above its best branch; None without branches."""
        return fusion_gain(self.name, self._unseen, (FUSED, *self.branches))

    @property
    def _unseen(self) -> list[dict[str, dict[str, Scores]]]:
        """The scores of each run on splits that it was not trained on; the protocol `published` trains on dev."""
        seen = ("dev",) if self.caveat else ()
        return [{split: of for split, of in scores.items() if split not in seen} for _, scores in self._read]

    @cached_property
    def remarks(self) -> list[Remark]:
        """What is odd about the scores of all splits, and about the temperature; see `sdt.evaluation.remarks`."""
        scores = self._unseen
        found = list(score_remarks(self.name, scores, self.terms))
        for split in [split for split in ("test", "dev") if split in scores[0]][:1]:
            with contextlib.suppress(InputError):  # runs whose predictions are gone have no calibration
                said = self.probabilities(split)
                before, after = zip(*(run.errors for run in said), strict=True)
                found += calibration_remarks(self.name, split, [run.temperature for run in said], before, after)
        with contextlib.suppress(InputError):  # the corpus may be gone
            corpus = self.corpus()
            counts = label_counts(corpus.split("train"), corpus.labels).tolist()
            found += train_remarks(dict(zip(corpus.labels, counts, strict=True)), scores[0])
        return found

    def summary(self, split: str) -> Summary:
        """Mean and spread of the scores of a split.

        Raises:
            InputError: A run has no scores of it.
        """
        for folder, (_, scores) in zip(self.runs, self._read, strict=True):
            if split not in scores:
                raise InputError(f"{folder.path}: no scores of the split {split!r}; there are: {', '.join(scores)}")
        return Summary.of([scores[split] for _, scores in self._read])

    @property
    def test_selections(self) -> list[Mapping[str, Scores] | None]:
        """Each run's test scores, by head, if its epoch were selected on test (see `test_monitor`); None if unknown."""
        chosen = [values.get("test_chosen") for values, _ in self._read]
        return [TestSelection.from_dict(of_run).scores if of_run else None for of_run in chosen]

    def predicted(self, split: str) -> list[Predicted]:
        """What each run says of a split.

        Raises:
            InputError: A run has no predictions of it.
        """
        paths = [run.path / "predictions" / f"{split}.jsonl" for run in self.runs]
        for path in paths:
            if not path.is_file():
                there = sorted(other.stem for other in path.parent.glob("*.jsonl"))
                raise InputError(f"{path}: no predictions of the split {split!r}; there are: {', '.join(there)}")
        return [read_predicted(path) for path in paths]

    def system(self, split: str, name: str | None = None) -> System:
        """The group as a system that can be compared, from the runs' predictions.

        Args:
            split: `dev` or `test`.
            name: What to call it; None for the group's name.

        Raises:
            InputError: A run has no predictions of the split, or they are damaged, or of no annotated utterance.
        """
        predicted = self.predicted(split)
        system = System.of(name or self.name, predicted, Truth.of_file(predicted[0]), self.seeds)
        caveats = [self.caveat] if self.caveat else []
        if self.unfinished:
            caveats.append(f"unfinished runs are left out: {', '.join(map(str, self.unfinished))}")
        return system.made_by(self.values["corpus_sha256"], caveats)

    def corpus(self) -> Corpus:
        """The corpus that the runs used.

        Raises:
            InputError: It is not where it was, or was changed since.
        """
        return self.check_corpus(Corpus.open(corpus_of_run(self.runs[0].path)))

    def check_corpus(self, corpus: Corpus) -> Corpus:
        """The corpus, if it is the one that the runs used.

        Raises:
            InputError: It is not.
        """
        if corpus.fingerprint != self.values["corpus_sha256"]:
            raise InputError(
                f"{corpus.folder}: not the corpus of {self.name} (fingerprint {corpus.fingerprint[:12]}; the runs' is "
                f"{self.values['corpus_sha256'][:12]}); say where that one is with --corpus FOLDER"
            )
        return corpus

    def _check(self) -> None:
        """All runs have the same corpus and settings but for the seed and the places of files."""
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
            raise InputError(f"the seeds are {list(seeds)}: a run that is counted twice says nothing about the spread")


def corpus_of_run(run: Path) -> Path:
    """The corpus folder that a run folder's environment.json names.

    Raises:
        InputError: The file does not exist, it is damaged, or the corpus is not there any more.
    """
    path = run / "environment.json"
    if not path.is_file():
        raise InputError(f"{run}: is not a run folder that names its corpus; say which one with --corpus FOLDER")
    try:
        corpus = Path(json.loads(path.read_text(encoding="utf-8"))["corpus"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged ({type(error).__name__}: {error}); say which corpus with --corpus FOLDER"
        ) from None
    if not corpus.is_dir():
        raise InputError(f"{path}: its corpus {corpus} is not there any more; say where it is with --corpus FOLDER")
    return corpus


def _no_run(name: str, groups: Sequence[Path]) -> InputError:
    if groups:
        return InputError(f"{name}: holds groups of runs; name them one by one: {', '.join(map(str, groups))}")
    return InputError(
        f"{name}: no run; expected a run folder, a folder of runs that differ in their seed, or a pattern in quotes "
        "such as 'runs/mine-*'"
    )


def _differs(path: Path, key: str, value: object, first: Path, first_value: object) -> InputError:
    return InputError(
        f"{path}: its {key} is {value}, that of {first} is {first_value}; only runs that differ in nothing but the "
        "seed have a mean"
    )
