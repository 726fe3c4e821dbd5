"""Divisions of the test set into the subgroups of the literature, and the scores of each subgroup.

A score of a part is that of its utterances alone: the F1 of a class counts false alarms only where they fall into the
part. Classes are not equally frequent in all parts, so that the parts' F1 differ for that reason too.

Shapes: N annotated utterances, B draws, C classes.
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
    """The test set in parts."""

    name: str
    meaning: str
    """What the parts are, in a sentence for the head of a table."""
    parts: dict[str, npt.NDArray[np.bool_]]
    """Name to [N]; every utterance is in exactly one."""


@dataclass(frozen=True)
class Subgroup:
    """How good a system is on one part."""

    support: int
    """Utterances."""
    accuracy: Estimate
    weighted_f1: Estimate

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        scores = {"accuracy": self.accuracy.to_dict(), "weighted_f1": self.weighted_f1.to_dict()}
        return {"utterances": self.support, **scores}


@dataclass(frozen=True)
class Contrast:
    """How much less often a system is right in one part than in another; a fraction from -1 to 1."""

    name: str
    difference: float
    """Of the accuracies, the mean over the runs."""
    low: float
    """NaN if there is no interval."""
    high: float
    note: str = ""
    """Why there is no interval."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ends = interval_values(self.low, self.high, self.note)
        return {"name": self.name, "difference": self.difference, **ends}


CHANGED, STAYED, FIRST = "other emotion", "same emotion", "none before"
SHIFTS = ("emotion shift of the speaker", "emotion shift in the conversation")
"""The divisions of which `contrast` is worth saying."""
NOTHING = "nothing"
_POSITIONS = (1, 2, 4, 6, 11, 21)
_LENGTHS = (0, 1, 3, 6, 11, 21)
_SPEAKERS = (1, 2, 3, 4, 5)


def divisions(facts: Sequence[Fact]) -> list[Division]:
    """Divide the test set in every way.

    A division with a single part says nothing and is left out; so is one that divides as an earlier one does: where
    everybody speaks alone, the speaker's previous utterance is the conversation's.
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
            "against the previous annotated utterance, whoever spoke",
            lambda fact: _shift(fact.label, fact.before),
            (STAYED, CHANGED, FIRST),
        ),
        _binned(facts, "position", "place in the conversation", lambda fact: fact.position, _POSITIONS),
        _binned(facts, "length", "words of the utterance", lambda fact: fact.words, _LENGTHS),
        _binned(facts, "speakers", "speakers in the conversation", lambda fact: fact.speakers, _SPEAKERS),
        _by(
            facts,
            "missing modalities",
            "what the utterance has no features of",
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
    """Whether two divisions have the same parts by the same names."""
    return one.parts.keys() == other.parts.keys() and all(
        np.array_equal(where, other.parts[name]) for name, where in one.parts.items()
    )


def score_subgroups(systems: Sequence[System], division: Division, how: Resampling) -> list[dict[str, Subgroup]]:
    """Score systems on every part, with intervals by the bootstrap over conversations.

    Args:
        systems: On the same test set, in the same order.
        division: Of this test set.
        how: How the bootstrap is made.
    """
    names = list(division.parts)
    counts = [system.counts(where) for system in systems for where in division.parts.values()]
    parts = [_part(of, drawn, how.level) for of, drawn in zip(counts, resample(counts, how), strict=True)]
    return [
        dict(zip(names, parts[first : first + len(names)], strict=True)) for first in range(0, len(parts), len(names))
    ]


def contrast(system: System, division: Division, parts: tuple[str, str], how: Resampling) -> Contrast:
    """The accuracy on one part minus that on another, both on the same draws."""
    counts = [system.counts(division.parts[name]) for name in parts]
    drawn = resample(counts, how)[:, :, 0]  # [2, B]
    mean = [of.totals()[:, 0].mean() for of in counts]
    conversations = min(_conversations(of) for of in counts)
    return Contrast(division.name, float(mean[0] - mean[1]), *interval(drawn[0] - drawn[1], how.level, conversations))


def _part(counts: Counts, drawn: npt.NDArray[np.float64], level: float) -> Subgroup:
    """The scores of a part; `drawn` is [B, 3 + C]."""
    totals = counts.totals()  # [R, 3 + C]
    scores = [
        Estimate(Spread.of(totals[:, c].tolist()), *interval(drawn[:, c], level, _conversations(counts)))
        for c in (0, 1)
    ]
    return Subgroup(int(counts.support.sum()), *scores)


def _conversations(counts: Counts) -> int:
    """How many conversations have utterances of a part."""
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
    """Parts by a number; each begins at one of `begins` and ends before the next."""
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
