"""Predictions that are kept as they are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.analysis.robustness.prediction_cache import PredictionCache, PredictionKey
from sdt.errors import InputError

KEY = PredictionKey("m", "c", "test", "audio missing", 0.2, 0)


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    points = PredictionCache(tmp_path / "points.jsonl")
    assert points.get(KEY, 3) is None
    points.put(KEY, np.array([1, 0, 2]))
    points.put(replace(KEY, level=0.4), np.array([1, 1, 1]))
    for again in (points, PredictionCache(tmp_path / "points.jsonl")):
        np.testing.assert_array_equal(again.get(KEY, 3), [1, 0, 2])
        assert again.get(KEY, 4) is None  # of another test set
        for other in (
            replace(KEY, level=0.3),
            replace(KEY, model="n"),
            replace(KEY, seed=1),
            replace(KEY, split="dev"),
        ):
            assert again.get(other, 3) is None


def test_a_line_that_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    points = PredictionCache(path)
    points.put(KEY, np.array([1]))
    points.put(replace(KEY, level=0.4), np.array([2]))
    path.write_text(path.read_text("utf-8")[:-9], encoding="utf-8")
    again = PredictionCache(path)
    assert again.get(KEY, 1) is not None
    assert again.get(replace(KEY, level=0.4), 1) is None
    again.put(replace(KEY, level=0.4), np.array([3]))
    assert PredictionCache(path).get(replace(KEY, level=0.4), 1) == [3]


def test_damage(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    for text in ("{}\n", "x\n", "[]\n", '{"predicted": ["a"]}\n'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"points\.jsonl, line 1: damaged .* --overwrite"):
            PredictionCache(path)
