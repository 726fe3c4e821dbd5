"""Rare classes and classes that are taken for each other, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sdt.analysis.subgroups.classes import class_shares, rare_classes, score_classes, similar_classes
from sdt.corpus.store import Corpus
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.significance import NO_UTTERANCE
from sdt.evaluation.system import System
from tests.evaluation.worlds import LABELS, World
from tests.training.conftest import corpus

__all__ = ["corpus"]
HOW = Resampling(200)


def test_shares_of_train(corpus: Corpus) -> None:
    shares = class_shares(corpus)
    labels = [u.label for c in corpus.split("train") for u in c.utterances]
    assert shares == {label: labels.count(label) / len(labels) for label in corpus.labels}
    view = corpus.excerpts({})
    assert class_shares(view) == {}


def test_rare_is_less_than_half_of_an_even_share() -> None:
    assert rare_classes({"a": 0.5, "b": 0.25, "c": 0.125, "d": 0.124}) == ["d"]
    assert rare_classes({}) == []


def test_classes_by_frequency() -> None:
    system = World(30, seed=3).system("a", 0.5, runs=2)
    shares = {"calm": 0.1, "cross": 0.78, "glad": 0.07, "sad": 0.05}
    found = score_classes(system, shares, HOW)
    assert list(found) == ["cross", "calm", "glad", "sad", "mean of the rare", "mean of the others"]
    rare = ("calm", "glad", "sad")
    assert found["mean of the rare"].f1.spread.mean == pytest.approx(
        np.mean([found[label].f1.spread.mean for label in rare])
    )
    assert found["mean of the rare"].support == sum(found[label].support for label in rare)
    assert found["mean of the others"].f1 == found["cross"].f1
    without = score_classes(system, {}, HOW)
    assert list(without) == list(LABELS)  # by their number in the test set
    assert without["calm"].share is None


def counted(labels: tuple[str, ...]) -> System:
    """Two runs; of the first class' four utterances run 0 takes one for the second class, run 1 three."""
    true = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([[1, 0, 0, 0, 1, 0, 2, 2], [1, 1, 1, 0, 1, 1, 2, 0]])
    places = tuple((f"c{index % 3}", str(index)) for index in range(8))
    return System("a", labels, places, true, predicted, (0, 1))


def test_pairs() -> None:
    first, second = similar_classes(counted(("x", "y", "z")), HOW)
    assert first.name == "x / y"
    assert (first.first_as_second, first.second_as_first) == (4 / 8, 1 / 4)
    assert first.mutual.spread.mean == pytest.approx((2 / 6 + 3 / 6) / 2)
    assert first.mutual.to_dict()["interval"] is None  # three conversations
    assert second.classes == ("x", "z")
    assert len(similar_classes(counted(("x", "y", "z")), HOW, shown=1)) == 1


def test_what_the_test_set_does_not_have_has_no_share_and_no_f1() -> None:
    system = System("a", ("x", "y", "z"), (("c", "0"), ("c", "1")), np.array([0, 0]), np.array([[0, 1]]), (0,))
    (pair,) = similar_classes(system, HOW)
    assert (pair.classes, pair.first_as_second, pair.second_as_first) == (("x", "y"), 0.5, None)
    found = score_classes(system, {"x": 0.9, "y": 0.05, "z": 0.05}, HOW)
    assert list(found) == ["x", "y", "z", "mean of the others"]  # no rare class is there
    assert found["y"].f1.to_dict()["no_interval"] == NO_UTTERANCE


def test_the_pairs_that_papers_speak_of_are_always_shown() -> None:
    pairs = similar_classes(counted(("angry", "sad", "frustrated")), HOW, shown=1)
    assert [pair.classes for pair in pairs] == [("angry", "sad"), ("angry", "frustrated")]
