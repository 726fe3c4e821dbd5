"""Remarks: rules that detect unusual scores and report them with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from sdt.evaluation.calibration import HOTTEST
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
"""Split to head to scores, of one run."""
SAME = 0.99
"""A head that predicts one class for this share of the utterances is named."""
FAR = 0.1
"""Weighted F1 on dev and on test that differ by more are named."""
WORSE = 0.005
"""An expected calibration error that the temperature raises by more is named."""


@dataclass(frozen=True)
class Remark:
    """One remark."""

    kind: Kind
    subject: str
    """The row or model; the split where it is about the annotation."""
    values: Mapping[str, Any]
    """JSON values; scores are fractions from 0 to 1, the mean over the runs."""
    text: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"kind": self.kind, "subject": self.subject, **self.values, "text": self.text}


def score_remarks(name: str, runs: Sequence[Splits], terms: Iterable[str]) -> Iterator[Remark]:
    """What is odd about the scores of runs that differ in their seed.

    Args:
        name: The row or model.
        runs: The scores of each run; all have the same splits, heads and labels.
        terms: The terms of the objective that the runs were trained by; without `hard` and `soft` the classifiers of
            branches are untrained, and nothing is said of their scores.
    """
    trained = bool({"hard", "soft"} & set(terms))
    heads = [head for head in next(iter(runs[0].values()), {}) if trained or head == FUSED]
    for split in runs[0]:
        yield from class_remarks(split, runs[0][split][FUSED])
    yield from _collapsed(name, runs, list(runs[0])[-1], heads)
    if {"dev", "test"} <= runs[0].keys():
        dev, test = (_mean(runs, split, FUSED) for split in ("dev", "test"))
        if abs(dev - test) > FAR:
            text = (
                f"{name}: weighted F1 on dev ({100 * dev:.2f}) is {_beside(dev - test)} that on test "
                f"({100 * test:.2f}); what dev chooses may not be best on test"
            )
            yield Remark("dev and test differ", name, {"dev": dev, "test": test, "difference": dev - test}, text)
    gain = fusion_gain(name, runs, heads)
    if gain and min(gain.values["gain"].values()) <= 0:
        yield gain
    if not trained and any(head != FUSED for head in next(iter(runs[0].values()), {})):
        yield Remark(
            "untrained branches",
            name,
            {"terms": list(terms)},
            f"{name}: the classifiers of the branches were not trained (objective.hard and objective.soft are 0); "
            "their predictions mean nothing",
        )


def fusion_gain(name: str, runs: Sequence[Splits], heads: Sequence[str] | None = None) -> Remark | None:
    """By how much the fused prediction is above its best branch, split by split; None for a model without branches.

    Args:
        name: The row or model.
        runs: See `score_remarks`.
        heads: Those that were trained; None for all.
    """
    branches = [head for head in (heads or next(iter(runs[0].values()), {})) if head != FUSED]
    if not branches:
        return None
    best, gain, parts = {}, {}, []
    for split in runs[0]:
        fused, *others = (_mean(runs, split, head) for head in (FUSED, *branches))
        highest, best[split] = max(zip(others, branches, strict=True))
        gain[split] = fused - highest
        parts.append(
            f"on {split} the fused prediction ({100 * fused:.2f}) is {_beside(gain[split])} its best branch, "
            f"{best[split]} ({100 * highest:.2f})"
        )
    agree = len({value > 0 for value in gain.values()}) == 1
    text = f"{name}, weighted F1: {'; '.join(parts)}" + (
        "" if agree else "; the splits disagree on whether fusing helps"
    )
    return Remark("fusion gain", name, {"gain": gain, "best_branch": best, "agree": agree}, text)


def calibration_remarks(
    name: str, split: str, temperatures: Sequence[float], before: Sequence[float], after: Sequence[float]
) -> Iterator[Remark]:
    """What is odd about the temperature of the fused prediction.

    Args:
        name: The row or model.
        split: On which the errors were measured.
        temperatures: Of each run.
        before: Each run's expected calibration error without the temperature.
        after: The same with it.
    """
    temperature, without, with_it = mean(temperatures), mean(before), mean(after)
    values = {"split": split, "temperature": temperature, "before": without, "after": with_it}
    if with_it > without + WORSE:
        text = (
            f"{name}: the temperature {temperature:.2f}, fitted on dev, raises the expected calibration "
            f"error on {split} from {100 * without:.2f} to {100 * with_it:.2f} %"
        )
        yield Remark("calibration got worse", name, values, text)
    limits = [t for t in temperatures if not 1.01 / HOTTEST < t < HOTTEST / 1.01]
    if limits:
        text = (
            f"{name}: the temperature of {len(limits)} of {len(temperatures)} runs is at the limit of the search (1/"
            f"{HOTTEST:g} to {HOTTEST:g}); dev does not determine it"
        )
        yield Remark("temperature at its limit", name, {"temperatures": limits, "runs": len(temperatures)}, text)


def class_remarks(split: str, scores: Scores) -> Iterator[Remark]:
    """What is odd about the annotation of a split."""
    there = [label for label, of in scores.classes.items() if of.support]
    absent = scores.absent
    if len(there) == 1:
        text = f"every annotated utterance of {split} is {there[0]}: scores say nothing about other classes"
        yield Remark("one annotated class", split, {"split": split, "label": there[0]}, text)
    if absent:
        text = f"{split} has no annotated utterance of {', '.join(absent)}; macro F1 counts such a class as 0"
        yield Remark("absent classes", split, {"split": split, "labels": absent}, text)


def train_remarks(counts: Mapping[str, int], scores: Splits) -> Iterator[Remark]:
    """Classes that are tested and of which there is nothing to train on.

    Args:
        counts: How many utterances of train have each label.
        scores: Of one run, for the annotation of the other splits.
    """
    tested = {label for heads in scores.values() for label, of in heads[FUSED].classes.items() if of.support}
    missing = [label for label in counts if label in tested and not counts[label]]
    if missing:
        text = f"train has no utterance of {', '.join(missing)}: a model cannot learn to predict it"
        yield Remark("classes not trained", "train", {"split": "train", "labels": missing}, text)


def _collapsed(name: str, runs: Sequence[Splits], split: str, heads: Sequence[str]) -> Iterator[Remark]:
    """Heads that predict one class for nearly every utterance, though several are annotated."""
    if sum(of.support > 0 for of in runs[0][split][FUSED].classes.values()) < 2:
        return
    labels = list(runs[0][split][FUSED].classes)
    for head in heads:
        predicted = [run[split][head].confusion.sum(axis=0) for run in runs]  # [C] each
        ones = [of for of in predicted if of.max() >= SAME * of.sum()]
        if ones:
            said = list(dict.fromkeys(labels[int(of.argmax())] for of in ones))
            share = min(float(of.max() / of.sum()) for of in ones)
            values = {"split": split, "head": head, "labels": said, "share": share, "runs": [len(ones), len(runs)]}
            who = "the fused prediction" if head == FUSED else f"the branch {head}"
            many = f" in {len(ones)} of {len(runs)} runs" if len(runs) > 1 else ""
            least = "every utterance" if share == 1 else f"at least {100 * share:.1f} % of the utterances"
            text = f"{name}: {who} predicts {' or '.join(said)} for {least} of {split}{many}"
            yield Remark("one predicted class", name, values, text)


def _mean(runs: Sequence[Splits], split: str, head: str) -> float:
    return mean(run[split][head].weighted_f1 for run in runs)


def _beside(gain: float) -> str:
    size = f"{100 * abs(gain):.2f}"
    if size == "0.00":
        return "level with"
    return f"{size} points {'above' if gain > 0 else 'below'}"
