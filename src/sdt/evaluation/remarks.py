"""Remarks: rules that detect unusual scores and report them with their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from sdt.evaluation.calibration import MAX_TEMPERATURE
from sdt.evaluation.scores import Scores
from sdt.models.config import FUSED

Kind = Literal[
    "absent classes",
    "classes not trained",
    "one annotated class",
    "one predicted class",
    "dev and test differ",
    "fusion gain",
    "untrained branches",
    "calibration got worse",
    "temperature at its limit",
]
Splits = Mapping[str, Mapping[str, Scores]]
"""Split to classifier to scores, of one run."""
SAME = 0.99
"""Share of utterances from which a classifier that predicts a single class is reported."""
FAR = 0.1
"""Difference of weighted F1 between dev and test above which it is reported."""
WORSE = 0.005
"""Increase of the expected calibration error by the temperature above which it is reported."""


@dataclass(frozen=True)
class Remark:
    """A remark."""

    kind: Kind
    """The rule."""
    subject: str
    """The row or model; the split for remarks on the annotation."""
    values: Mapping[str, Any]
    """JSON values; scores are fractions from 0 to 1, averaged over the runs."""
    text: str
    """The message."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"kind": self.kind, "subject": self.subject, **self.values, "text": self.text}


def score_remarks(name: str, runs: Sequence[Splits], terms: Iterable[str]) -> Iterator[Remark]:
    """Yield remarks on the scores of runs that differ in their seed.

    Args:
        name: The row or model.
        runs: The scores of each run; all have the same splits, classifiers and labels.
        terms: The objective terms that trained the runs; without `hard` and `soft`, the classifiers of the branches are
            untrained and their scores are ignored.
    """
    trained = bool({"hard", "soft"} & set(terms))
    classifiers = [classifier for classifier in next(iter(runs[0].values()), {}) if trained or classifier == FUSED]
    for split in runs[0]:
        yield from class_remarks(split, runs[0][split][FUSED])
    yield from _collapsed(name, runs, list(runs[0])[-1], classifiers)
    if {"dev", "test"} <= runs[0].keys():
        dev, test = (_mean(runs, split, FUSED) for split in ("dev", "test"))
        if abs(dev - test) > FAR:
            text = (
                f"{name}: weighted F1 on dev ({100 * dev:.2f}) is {_relation(dev - test)} that on test "
                f"({100 * test:.2f}); the epoch selected on dev may not be the best on test"
            )
            yield Remark("dev and test differ", name, {"dev": dev, "test": test, "difference": dev - test}, text)
    gain = fusion_gain(name, runs, classifiers)
    if gain and min(gain.values["gain"].values()) <= 0:
        yield gain
    if not trained and any(classifier != FUSED for classifier in next(iter(runs[0].values()), {})):
        yield Remark(
            "untrained branches",
            name,
            {"terms": list(terms)},
            f"{name}: the classifiers of the branches were not trained (objective.hard and objective.soft are 0); "
            "ignore their predictions",
        )


def fusion_gain(name: str, runs: Sequence[Splits], classifiers: Sequence[str] | None = None) -> Remark | None:
    """Compare the fused classifier with its best branch on each split; None for a model without branches.

    Args:
        name: The row or model.
        runs: See `score_remarks`.
        classifiers: The trained classifiers; None for all.
    """
    branches = [classifier for classifier in (classifiers or next(iter(runs[0].values()), {})) if classifier != FUSED]
    if not branches:
        return None
    best, gain, parts = {}, {}, []
    for split in runs[0]:
        fused, *others = (_mean(runs, split, classifier) for classifier in (FUSED, *branches))
        highest, best[split] = max(zip(others, branches, strict=True))
        gain[split] = fused - highest
        parts.append(
            f"on {split} the fused classifier ({100 * fused:.2f}) is {_relation(gain[split])} its best branch, "
            f"{best[split]} ({100 * highest:.2f})"
        )
    agree = len({value > 0 for value in gain.values()}) == 1
    text = f"{name}, weighted F1: {'; '.join(parts)}" + (
        "" if agree else "; the splits disagree on whether fusion helps"
    )
    return Remark("fusion gain", name, {"gain": gain, "best_branch": best, "agree": agree}, text)


def calibration_remarks(
    name: str, split: str, temperatures: Sequence[float], before: Sequence[float], after: Sequence[float]
) -> Iterator[Remark]:
    """Yield remarks on the temperature of the fused classifier.

    Args:
        name: The row or model.
        split: The split of the calibration errors.
        temperatures: The temperature of each run.
        before: The expected calibration error of each run without the temperature.
        after: The expected calibration error of each run with the temperature.
    """
    temperature, uncalibrated, calibrated = mean(temperatures), mean(before), mean(after)
    values = {"split": split, "temperature": temperature, "before": uncalibrated, "after": calibrated}
    if calibrated > uncalibrated + WORSE:
        text = (
            f"{name}: the temperature {temperature:.2f}, fitted on dev, increases the expected calibration error on "
            f"{split} from {100 * uncalibrated:.2f} to {100 * calibrated:.2f} %"
        )
        yield Remark("calibration got worse", name, values, text)
    limits = [t for t in temperatures if not 1.01 / MAX_TEMPERATURE < t < MAX_TEMPERATURE / 1.01]
    if limits:
        text = (
            f"{name}: the temperature of {len(limits)} of {len(temperatures)} runs is at the limit of the search (1/"
            f"{MAX_TEMPERATURE:g} to {MAX_TEMPERATURE:g}); dev does not determine it"
        )
        yield Remark("temperature at its limit", name, {"temperatures": limits, "runs": len(temperatures)}, text)


def class_remarks(split: str, scores: Scores) -> Iterator[Remark]:
    """Yield remarks on the annotation of a split."""
    present = [label for label, of in scores.classes.items() if of.support]
    absent = scores.absent
    if len(present) == 1:
        text = f"every annotated utterance of {split} is {present[0]}; the scores do not apply to other classes"
        yield Remark("one annotated class", split, {"split": split, "label": present[0]}, text)
    if absent:
        text = f"{split} has no utterance of {', '.join(absent)}; these classes count as 0 in macro F1"
        yield Remark("absent classes", split, {"split": split, "labels": absent}, text)


def train_remarks(counts: Mapping[str, int], scores: Splits) -> Iterator[Remark]:
    """Yield a remark on classes that are tested but do not occur in train.

    Args:
        counts: Label to its number of utterances in train.
        scores: The scores of one run, for the annotation of the other splits.
    """
    tested = {
        label for classifiers in scores.values() for label, of in classifiers[FUSED].classes.items() if of.support
    }
    missing = [label for label in counts if label in tested and not counts[label]]
    if missing:
        text = f"train has no utterance of {', '.join(missing)}; the model cannot learn these classes"
        yield Remark("classes not trained", "train", {"split": "train", "labels": missing}, text)


def _collapsed(name: str, runs: Sequence[Splits], split: str, classifiers: Sequence[str]) -> Iterator[Remark]:
    """Remarks on classifiers that predict one class for nearly every utterance although several are annotated."""
    if sum(of.support > 0 for of in runs[0][split][FUSED].classes.values()) < 2:
        return
    labels = list(runs[0][split][FUSED].classes)
    for classifier in classifiers:
        predicted = [run[split][classifier].confusion.sum(axis=0) for run in runs]  # [C] each
        ones = [of for of in predicted if of.max() >= SAME * of.sum()]
        if ones:
            found = list(dict.fromkeys(labels[int(of.argmax())] for of in ones))
            share = min(float(of.max() / of.sum()) for of in ones)
            counted = [len(ones), len(runs)]
            values = {"split": split, "head": classifier, "labels": found, "share": share, "runs": counted}
            subject = "the fused classifier" if classifier == FUSED else f"the branch {classifier}"
            many = f" in {len(ones)} of {len(runs)} runs" if len(runs) > 1 else ""
            least = "every utterance" if share == 1 else f"at least {100 * share:.1f} % of the utterances"
            text = f"{name}: {subject} predicts {' or '.join(found)} for {least} of {split}{many}"
            yield Remark("one predicted class", name, values, text)


def _mean(runs: Sequence[Splits], split: str, classifier: str) -> float:
    return mean(run[split][classifier].weighted_f1 for run in runs)


def _relation(gain: float) -> str:
    size = f"{100 * abs(gain):.2f}"
    if size == "0.00":
        return "equal to"
    return f"{size} points {'above' if gain > 0 else 'below'}"
