"""The subgroup analysis of one system, as tables and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sdt.analysis.subgroups.classes import ClassSubgroup, Pair, class_shares, score_classes, similar_classes
from sdt.analysis.subgroups.divisions import (
    CHANGED,
    SHIFTS,
    STAYED,
    Contrast,
    Division,
    Subgroup,
    contrast,
    divisions,
    score_subgroups,
)
from sdt.analysis.subgroups.facts import facts
from sdt.corpus.store import Corpus
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.losses import PerturbedScores, score_perturbed
from sdt.evaluation.metrics import metrics
from sdt.evaluation.significance import NO_UTTERANCE, Estimate, align, estimates
from sdt.evaluation.system import System
from sdt.evaluation.table import Grid
from sdt.evaluation.verdict import interval_text


@dataclass(frozen=True, eq=False)
class Analysis:
    """The subgroup analysis of one system."""

    system: System
    """The system."""
    level: float
    """Confidence level of the intervals."""
    whole: Mapping[str, Estimate]
    """Measures on the whole test set."""
    divisions: Sequence[Division]
    """Divisions of the test set."""
    parts: Sequence[Mapping[str, Subgroup]]
    """Scores of the parts of each division."""
    contrasts: Sequence[Contrast]
    """Contrasts of the emotion shifts."""
    classes: Mapping[str, ClassSubgroup]
    """Scores of the classes."""
    pairs: Sequence[Pair]
    """Confused pairs of classes."""
    context: Mapping[str, PerturbedScores]
    """Name of a context length to scores; empty if they were not computed."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "system": self.system.name,
            "runs": self.system.runs,
            "utterances": len(self.system.utterance_keys),
            "conversations": self.system.conversations,
            "notes": list(self.system.caveats),
            "whole": _measures(self.whole),
            "divisions": {
                division.name: {name: part.to_dict() for name, part in parts.items()}
                for division, parts in zip(self.divisions, self.parts, strict=True)
            },
            "shift_against_none": [of.to_dict() for of in self.contrasts],
            "classes": {label: of.to_dict() for label, of in self.classes.items()},
            "similar_classes": [pair.to_dict() for pair in self.pairs],
            "context": {name: of.to_dict() for name, of in self.context.items()},
        }

    def grids(self) -> Iterator[Grid]:
        """Yield the tables of divisions, classes, pairs and context."""
        level = f"{100 * self.level:g} %"
        for division, parts in zip(self.divisions, self.parts, strict=True):
            title = f"{self.system.name}, {division.name}: {division.meaning}"
            yield Grid(
                title,
                ("part", "n", "accuracy", level, "weighted F1", level),
                [
                    (name, f"{of.support:,}", *self._cells(of.accuracy), *self._cells(of.weighted_f1))
                    for name, of in parts.items()
                ],
            )
        yield Grid(
            f"{self.system.name}, classes by their share of train",
            ("class", "of train", "n", "F1", level),
            [
                (label, "-" if of.share is None else f"{100 * of.share:.1f} %", f"{of.support:,}", *self._cells(of.f1))
                for label, of in self.classes.items()
            ],
        )
        yield self._pairs(level)
        if self.context:
            yield Grid(
                f"{self.system.name}, by number of previous utterances in the context",
                ("context", "weighted F1", level, "lost", level),
                [
                    (name, *self._cells(of.measures["weighted_f1"]), *self._lost(of.loss))
                    for name, of in self.context.items()
                ],
            )

    def _pairs(self, level: str) -> Grid:
        return Grid(
            f"{self.system.name}, confused classes, in percent of their utterances",
            ("1st / 2nd class", "1st as 2nd", "2nd as 1st", "mutual", level),
            [
                (
                    pair.name,
                    *(
                        "–" if share is None else f"{100 * share:.1f}"
                        for share in (pair.first_as_second, pair.second_as_first)
                    ),
                    *self._cells(pair.mutual),
                )
                for pair in self.pairs
            ],
        )

    def sentences(self) -> Iterator[str]:
        """Yield sentences on the emotion shifts, and the notes."""
        for of in self.contrasts:
            word = "lower" if of.difference < 0 else "higher"
            ends = (
                f"no interval: {of.note}"
                if of.note
                else f"{100 * self.level:g} % interval of the difference {interval_text(of, '+.2f')}"
            )
            size = f"{100 * abs(of.difference):.2f}"
            compared = "the same" if size == "0.00" else f"{size} points {word}"
            yield (
                f"{self.system.name}, {of.name}: accuracy is {compared} if the emotion changes "
                f"{'and' if size == '0.00' else 'than'} if it stays the same ({ends})."
            )
        yield from (f"note: {self.system.name}: {caveat}" for caveat in self.system.caveats)

    def _lost(self, of: Estimate) -> tuple[str, str]:
        return f"{100 * of.spread.mean:.2f}", interval_text(of, ".2f")

    def _cells(self, of: Estimate) -> tuple[str, str]:
        if of.note == NO_UTTERANCE:
            return "–", "-"
        score = str(of.spread) if self.system.runs > 1 else f"{100 * of.spread.mean:.2f}"
        return score, interval_text(of, ".1f", "–")


def analyse(systems: Sequence[System], corpora: Sequence[Corpus], resampling: Resampling) -> list[Analysis]:
    """Analyse systems on the same test set.

    Args:
        systems: One or more.
        corpora: The corpus of each.
        resampling: Settings of the bootstrap.

    Raises:
        InputError: The systems were tested on different utterances, or a corpus is not that of its system.
    """
    aligned = align(systems, other_features=True)
    made = []
    for system, corpus in zip(aligned, corpora, strict=True):
        ways = divisions(facts(corpus, system.utterance_keys, list(corpus.modalities)))
        (whole,) = estimates([system], resampling)
        shares = class_shares(corpus)
        made.append(
            Analysis(
                system,
                resampling.level,
                {name: whole[name] for name in metrics()},
                ways,
                [score_subgroups([system], way, resampling)[0] for way in ways],
                [
                    contrast(system, way, (CHANGED, STAYED), resampling)
                    for way in ways
                    if way.name in SHIFTS and {CHANGED, STAYED} <= way.parts.keys()
                ],
                score_classes(system, shares, resampling),
                similar_classes(system, resampling),
                {},
            )
        )
    return made


def with_context(analysis: Analysis, limited: Mapping[str, System], resampling: Resampling) -> Analysis:
    """Add the scores of limited context to an analysis; those of the whole conversation are last."""
    scored = score_perturbed(analysis.system, [*limited.values(), analysis.system], resampling)
    return replace(analysis, context=dict(zip((*limited, WHOLE), scored, strict=True)))


WHOLE = "whole conversation"
"""Name of the full context, previous and following utterances."""


def _measures(of: Mapping[str, Estimate]) -> dict[str, Any]:
    return {measure: estimate.to_dict() for measure, estimate in of.items()}
