"""Divisions of the test set into subgroups, and the scores of each subgroup.

The scores of a part are computed from its utterances only: the F1 of a class counts false positives within the part.
Class frequencies differ between parts, which is another reason why their F1 differ.

Shapes: N annotated utterances, B resamples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.analysis.subgroups.facts import Fact
from sdt.evaluation.bootstrap import Resampling, interval, interval_values, resample
from sdt.evaluation.counts import Counts
from sdt.evaluation.seeds import Spread
from sdt.evaluation.significance import Estimate
from sdt.evaluation.system import System


@dataclass(frozen=True, eq=False)
class Division:
    """A division of the test set into parts."""

    name: str
    """Display name."""
    meaning: str
    """Description of the parts for table titles."""
    parts: dict[str, npt.NDArray[np.bool_]]
    """Name of a part to [N] bool; every utterance is in exactly one part."""


@dataclass(frozen=True)
class Subgroup:
    """The scores of a system on one part."""

    support: int
    """Number of utterances."""
    accuracy: Estimate
    """Accuracy."""
    weighted_f1: Estimate
    """Weighted F1."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        scores = {"accuracy": self.accuracy.to_dict(), "weighted_f1": self.weighted_f1.to_dict()}
        return {"utterances": self.support, **scores}


@dataclass(frozen=True)
class Contrast:
    """The difference of the accuracies on two parts; a fraction from -1 to 1."""

    name: str
    """Name of the division."""
    difference: float
    """Difference of the accuracies, averaged over the runs."""
    low: float
    """Lower bound of the interval; NaN if it cannot be estimated."""
    high: float
    """Upper bound."""
    note: str = ""
    """Why there is no interval; empty if there is one."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ends = interval_values(self.low, self.high, self.note)
        return {"name": self.name, "difference": self.difference, **ends}


CHANGED, STAYED, FIRST = "other emotion", "same emotion", "none before"
SHIFTS = ("emotion shift of the speaker", "emotion shift in the conversation")
"""The divisions for which `contrast` is reported."""
NOTHING = "nothing"
_POSITIONS = (1, 2, 4, 6, 11, 21)
_LENGTHS = (0, 1, 3, 6, 11, 21)
_SPEAKERS = (1, 2, 3, 4, 5)


def divisions(facts: Sequence[Fact]) -> list[Division]:
    """Create all divisions of the test set.

    Divisions with a single part, or with the same parts as a previous division, are omitted. The two emotion shifts,
    for example, are the same if every conversation has one speaker.
    """
    made = [
        _by(
            facts,
            SHIFTS[0],
            "against the same speaker's previous annotated utterance",
            lambda fact: _shift(fact.label, fact.own_before),
            (STAYED, CHANGED, FIRST),
        ),
        _by(
            facts,
            SHIFTS[1],
            "against the previous annotated utterance of any speaker",
            lambda fact: _shift(fact.label, fact.before),
            (STAYED, CHANGED, FIRST),
        ),
        _binned(facts, "position", "position in the conversation", lambda fact: fact.position, _POSITIONS),
        _binned(facts, "length", "words of the utterance", lambda fact: fact.words, _LENGTHS),
        _binned(facts, "speakers", "speakers in the conversation", lambda fact: fact.speakers, _SPEAKERS),
        _by(
            facts,
            "missing modalities",
            "modalities without features",
            _lacking,
            sorted({_lacking(fact) for fact in facts}, key=lambda name: (name != NOTHING, name)),
        ),
    ]
    found: list[Division] = []
    for division in made:
        if len(division.parts) > 1 and not any(_same(division, other) for other in found):
            found.append(division)
    return found


def _same(one: Division, other: Division) -> bool:
    """Whether two divisions have the same parts with the same names."""
    return one.parts.keys() == other.parts.keys() and all(
        np.array_equal(where, other.parts[name]) for name, where in one.parts.items()
    )


def score_subgroups(systems: Sequence[System], division: Division, resampling: Resampling) -> list[dict[str, Subgroup]]:
    """Score systems on every part, with intervals by the bootstrap over conversations.

    Args:
        systems: Systems on the same test set, in the same order.
        division: A division of this test set.
        resampling: Settings of the bootstrap.
    """
    names = list(division.parts)
    counts = [system.counts(where) for system in systems for where in division.parts.values()]
    parts = [_part(of, drawn, resampling.level) for of, drawn in zip(counts, resample(counts, resampling), strict=True)]
    return [
        dict(zip(names, parts[first : first + len(names)], strict=True)) for first in range(0, len(parts), len(names))
    ]


def contrast(system: System, division: Division, parts: tuple[str, str], resampling: Resampling) -> Contrast:
    """Compute the accuracy on one part minus that on another, both on the same resamples."""
    counts = [system.counts(division.parts[name]) for name in parts]
    drawn = resample(counts, resampling)[:, :, 0]  # [2, B]
    mean = [of.totals()[:, 0].mean() for of in counts]
    conversations = min(_conversations(of) for of in counts)
    return Contrast(
        division.name, float(mean[0] - mean[1]), *interval(drawn[0] - drawn[1], resampling.level, conversations)
    )


def _part(counts: Counts, drawn: npt.NDArray[np.float64], level: float) -> Subgroup:
    """The scores of a part; `drawn` is [B, 3 + C]."""
    totals = counts.totals()  # [R, 3 + C]
    scores = [
        Estimate(Spread.of(totals[:, c].tolist()), *interval(drawn[:, c], level, _conversations(counts)))
        for c in (0, 1)
    ]
    return Subgroup(int(counts.support.sum()), *scores)


def _conversations(counts: Counts) -> int:
    """The number of conversations with utterances of a part."""
    return int((counts.support.sum(axis=1) > 0).sum())


def _by(facts: Sequence[Fact], name: str, meaning: str, key: Callable[[Fact], str], order: Sequence[str]) -> Division:
    keys = np.array([key(fact) for fact in facts])
    parts = {part: keys == part for part in order}
    return Division(name, meaning, {part: where for part, where in parts.items() if where.any()})


def _binned(
    facts: Sequence[Fact],
    name: str,
    meaning: str,
    key: Callable[[Fact], int],
    begins: Sequence[int],
) -> Division:
    """Divide by a number into bins that start at `begins`."""
    ends = [following - 1 for following in begins[1:]]
    names = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(begins, ends, strict=False)]
    names.append(f"{begins[-1]} or more")

    def part(fact: Fact) -> str:
        return names[int(np.searchsorted(begins, key(fact), side="right")) - 1]

    return _by(facts, name, meaning, part, names)


def _lacking(fact: Fact) -> str:
    return " and ".join(fact.lacks) or NOTHING


def _shift(label: str, before: str | None) -> str:
    if before is None:
        return FIRST
    return STAYED if before == label else CHANGED
