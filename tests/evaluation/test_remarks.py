"""Remarks on scores: which are made, with which numbers, and which are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sdt.evaluation.remarks import Remark, calibration_remarks, fusion_gain, score_remarks, train_remarks
from sdt.evaluation.scores import Scores, score

LABELS = ("calm", "cross", "glad")
TRUE = [0, 0, 1, 1, 2, 2]
TERMS = ("task", "hard", "soft")


def scores(predicted: list[int], true: list[int] = TRUE) -> Scores:
    return score(np.array(true), np.array(predicted), LABELS)


GOOD, FAIR, BAD = scores(TRUE), scores([0, 0, 1, 1, 2, 1]), scores([0, 1, 1, 2, 2, 0])


def found(*runs: dict[str, dict[str, Scores]], terms: tuple[str, ...] = TERMS) -> dict[str, Remark]:
    return {remark.kind: remark for remark in score_remarks("row", runs, terms)}


def test_nothing_is_odd() -> None:
    assert found({"dev": {"fused": GOOD, "text": FAIR}, "test": {"fused": GOOD, "text": FAIR}}) == {}


def test_dev_and_test_differ() -> None:
    one, two = {"dev": {"fused": GOOD}, "test": {"fused": BAD}}, {"dev": {"fused": GOOD}, "test": {"fused": FAIR}}
    (remark,) = found(one, two, terms=("task",)).values()
    test = (BAD.weighted_f1 + FAIR.weighted_f1) / 2
    assert (remark.kind, remark.subject) == ("dev and test differ", "row")
    assert remark.values == pytest.approx({"dev": 1.0, "test": test, "difference": 1 - test})
    assert found({"dev": {"fused": BAD}, "test": {"fused": GOOD}}, terms=("task",)).keys() == {"dev and test differ"}


def test_a_head_that_predicts_one_class_is_named() -> None:
    runs = [{"test": {"fused": GOOD, "text": FAIR, "voice": of}} for of in (scores([1] * 6), scores([2] * 6), FAIR)]
    (remark,) = found(*runs).values()
    assert remark.kind == "one predicted class"
    assert remark.values == {
        "split": "test", "head": "voice", "labels": ["cross", "glad"], "share": 1.0, "runs": [2, 3]
    }  # fmt: skip
    nearly = scores([1] * 199 + [0], [0, 1] * 100)
    values = found({"test": {"fused": nearly}})["one predicted class"].values
    assert values["share"] == pytest.approx(0.995)


def test_a_split_with_one_annotated_class() -> None:
    remarks = found({"test": {"fused": scores([1, 1, 1], [1, 1, 1])}})
    assert remarks.keys() == {"one annotated class", "absent classes"}
    assert remarks["one annotated class"].values == {"split": "test", "label": "cross"}
    assert remarks["absent classes"].values == {"split": "test", "labels": ["calm", "glad"]}


def test_a_branch_above_the_fused_prediction() -> None:
    runs = [{"dev": {"fused": GOOD, "text": FAIR}, "test": {"fused": FAIR, "text": GOOD}}]
    gain = fusion_gain("row", runs)
    assert gain is not None
    assert gain.values["gain"] == pytest.approx({"dev": 1 - FAIR.weighted_f1, "test": FAIR.weighted_f1 - 1})
    assert gain.values["best_branch"] == {"dev": "text", "test": "text"}
    assert gain.values["agree"] is False
    assert found(*runs)["fusion gain"] == gain
    assert fusion_gain("row", [{"test": {"fused": GOOD}}]) is None


def test_untrained_branches_are_named_and_their_scores_ignored() -> None:
    runs = {"test": {"fused": FAIR, "text": GOOD, "voice": scores([1] * 6)}}
    assert found(runs, terms=("task",)).keys() == {"untrained branches"}
    assert found(runs, terms=("task", "hard")).keys() == {"fusion gain", "one predicted class"}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [(0.042, 0.136, ["calibration got worse"]), (0.136, 0.042, []), (0.05, 0.054, []), (0.0, 0.0, [])],
)
def test_a_temperature_that_makes_calibration_worse(before: float, after: float, kinds: list[str]) -> None:
    remarks = list(calibration_remarks("row", "test", [1.4], [before], [after]))
    assert [remark.kind for remark in remarks] == kinds
    expected: dict[str, Any] = {"split": "test", "temperature": 1.4, "before": before, "after": after}
    assert all(remark.values == expected for remark in remarks)


def test_a_class_that_is_tested_and_not_trained() -> None:
    runs = {"test": {"fused": scores([0, 1], [0, 1])}}
    (remark,) = train_remarks({"calm": 3, "cross": 0, "glad": 0}, runs)
    assert (remark.kind, remark.values) == ("classes not trained", {"split": "train", "labels": ["cross"]})
    assert list(train_remarks({"calm": 3, "cross": 1, "glad": 0}, runs)) == []


def test_a_temperature_at_the_limit_of_the_search() -> None:
    (remark,) = calibration_remarks("row", "test", [0.1, 1.2, 9.999], [0.1] * 3, [0.1] * 3)
    assert remark.values == {"temperatures": [0.1, 9.999], "runs": 3}
    assert remark.to_dict().keys() == {"kind", "subject", "text", "temperatures", "runs"}
