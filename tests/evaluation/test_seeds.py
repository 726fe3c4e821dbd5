"""Means and spreads over seeds."""

from __future__ import annotations

import pytest

from sdt.evaluation.scores import score
from sdt.evaluation.seeds import Spread, Summary, markdown, tables

LABELS = ("calm", "cross")


def test_spread() -> None:
    found = Spread.of([0.5, 0.6, 0.7])
    assert found.mean == pytest.approx(0.6)
    assert found.deviation == pytest.approx(0.1)
    assert str(found) == "60.00 ± 10.00"
    assert Spread.of([0.5]).deviation == 0


def test_summary_and_markdown() -> None:
    true = [0, 0, 1, 1]
    runs = [
        {"fused": score(true, [0, 0, 1, 1], LABELS), "text": score(true, [0, 0, 0, 0], LABELS)},
        {"fused": score(true, [0, 0, 1, 0], LABELS), "text": score(true, [0, 0, 0, 0], LABELS)},
    ]
    summary = Summary.of(runs)
    assert summary.classifiers["fused"]["accuracy"].mean == pytest.approx(0.875)
    assert summary.classifiers["text"]["accuracy"].deviation == 0
    assert summary.classes["cross"].mean == pytest.approx((1 + 2 / 3) / 2)
    page = markdown(summary)
    assert "| fused | 87.50 ± 17.68 |" in page
    assert "| cross | 83.33 ± 23.57 |" in page


def test_one_run_has_no_deviation_and_an_absent_class_no_f1() -> None:
    summary = Summary.of([{"fused": score([0, 1], [0, 1], ("a", "b", "c"))}])
    heads, classes = tables(summary)
    assert heads[1] == [("fused", "100.00", "100.00", "66.67")]
    assert classes[1] == [("a", "100.00"), ("b", "100.00"), ("c", "–")]
