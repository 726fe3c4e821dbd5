from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from sdt.errors import InputError
from sdt.evaluation.outputs import SplitOutputs
from sdt.evaluation.scores import caveat, score, score_classifiers

LABELS = ("a", "b", "c")


def test_hand_computed() -> None:
    #  a: 2 of 3 found, 1 wrongly called a: P = R = F1 = 2/3; b: 1 of 2 found, P 1/2; c: never predicted, 1 there
    scores = score([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0], LABELS)
    assert scores.accuracy == pytest.approx(3 / 6)
    assert scores.classes["a"].precision == pytest.approx(2 / 4)
    assert scores.classes["a"].recall == pytest.approx(2 / 3)
    assert scores.classes["a"].f1 == pytest.approx(4 / 7)
    assert (scores.classes["b"].precision, scores.classes["b"].recall, scores.classes["b"].f1) == (0.5, 0.5, 0.5)
    assert (scores.classes["c"].precision, scores.classes["c"].recall, scores.classes["c"].f1) == (0, 0, 0)
    assert [of.support for of in scores.classes.values()] == [3, 2, 1]
    assert scores.macro_f1 == pytest.approx((4 / 7 + 0.5) / 3)
    assert scores.weighted_f1 == pytest.approx((3 * 4 / 7 + 2 * 0.5) / 6)
    np.testing.assert_array_equal(scores.confusion, [[2, 1, 0], [1, 1, 0], [1, 0, 0]])  # rows are the annotation
    assert scores.utterances == 6


def test_unlabelled_utterances_are_left_out() -> None:
    with_gaps, without = score([0, -1, 2, -1], [0, 1, 1, 2], LABELS), score([0, 2], [0, 1], LABELS)
    assert with_gaps.to_dict() == without.to_dict()


def test_a_class_that_does_not_occur_keeps_its_place_and_counts_in_the_macro_mean() -> None:
    scores = score([0, 1], [0, 1], LABELS)
    assert scores.classes["c"].support == 0
    assert scores.confusion.shape == (3, 3)
    assert (scores.accuracy, scores.weighted_f1) == (1, 1)
    assert scores.macro_f1 == pytest.approx(2 / 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(2, 7))
def test_counted_predictions_score_bit_for_bit_as_the_predictions_themselves(
    seed: int, size: int, classes: int
) -> None:
    random = np.random.default_rng(seed)
    true, predicted = random.integers(classes, size=(2, size))
    found = score(true, predicted, [str(label) for label in range(classes)])
    of = {"labels": range(classes), "zero_division": 0}
    assert found.accuracy == accuracy_score(true, predicted)
    assert found.weighted_f1 == f1_score(true, predicted, average="weighted", **of)
    assert found.macro_f1 == f1_score(true, predicted, average="macro", **of)
    per_class = precision_recall_fscore_support(true, predicted, **of)
    assert [(c.precision, c.recall, c.f1, c.support) for c in found.classes.values()] == list(
        zip(*per_class, strict=True)
    )
    np.testing.assert_array_equal(found.confusion, confusion_matrix(true, predicted, labels=range(classes)))


@pytest.mark.parametrize("true", [[], [-1, -1]])
def test_nothing_to_score(true: list[int]) -> None:
    with pytest.raises(InputError, match="no utterance has a label"):
        score(true, [0] * len(true), LABELS)


@pytest.mark.parametrize(
    ("true", "predicted"), [([0, 1], [0]), ([[0]], [[0]]), ([0, 3], [0, 1]), ([0, 1], [0, 3]), ([0, 1], [0, -1])]
)
def test_arrays_that_do_not_fit(true: list[Any], predicted: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"shape|class number"):
        score(true, predicted, LABELS)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5).flatmap(lambda c: st.tuples(st.just(c), st.lists(pairs(c), min_size=1, max_size=30))))
def test_equal_to_scikit_learn(case: tuple[int, list[tuple[int, int]]]) -> None:
    classes, found = case
    labels = [f"class {number}" for number in range(classes)]
    true, predicted = (list(side) for side in zip(*found, strict=True))
    scores = score(true, predicted, labels)
    report = classification_report(
        true, predicted, labels=range(classes), target_names=labels, output_dict=True, zero_division=0
    )
    for label in labels:
        of = scores.classes[label]
        ours = {"precision": of.precision, "recall": of.recall, "f1-score": of.f1, "support": of.support}
        assert ours == pytest.approx(report[label])
    assert scores.macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    assert scores.weighted_f1 == pytest.approx(report["weighted avg"]["f1-score"])
    assert scores.accuracy == pytest.approx(np.mean(np.equal(true, predicted)))
    assert scores.accuracy == pytest.approx(np.trace(scores.confusion) / scores.utterances)
    assert json.loads(json.dumps(scores.to_dict()))["confusion"] == scores.confusion.tolist()


def pairs(classes: int) -> st.SearchStrategy[tuple[int, int]]:
    number = st.integers(0, classes - 1)
    return st.tuples(number, number)


def test_every_head_is_scored() -> None:
    def sure(*numbers: int) -> npt.NDArray[np.float32]:
        return np.eye(3, dtype=np.float32)[list(numbers)]

    outputs = SplitOutputs(
        probabilities={"fused": sure(0, 1, 2), "smell": sure(0, 0, 0)},
        label=np.array([0, 1, -1]),
        weights=np.ones((3, 1), dtype=np.float32),
        present=np.ones((3, 1), dtype=np.bool_),
        utterance_keys=(("c", "1"), ("c", "2"), ("c", "3")),
    )
    scores = score_classifiers(outputs, LABELS)
    assert list(scores) == ["fused", "smell"]
    assert (scores["fused"].accuracy, scores["smell"].accuracy) == (1, 0.5)


def test_only_the_published_protocol_has_a_caveat() -> None:
    assert caveat({"protocol": "published"}) == "epoch selected on test (protocol 'published')"
    assert caveat({"protocol": "validation"}) is None
    assert caveat({}) is None
