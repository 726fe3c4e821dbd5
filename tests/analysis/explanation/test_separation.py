"""Silhouette and purity, against values that are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sdt.analysis.explanation import separation as module
from sdt.analysis.explanation.separation import separation


def test_counted_by_hand() -> None:
    # On a line: 0 and 1 are calm, 2 is cross, 10 and 11 are cross, in two conversations.
    x = np.array([[0], [1], [2], [10], [11]], dtype=np.float32)
    label = np.array([0, 0, 1, 1, 1])
    conversation = np.array([0, 0, 0, 1, 1])
    found = separation(x, label, conversation, 2)
    # neighbours: 0 -> 1, 2; 1 -> 0, 2; 2 -> 1, 0; 10 -> 11, 2; 11 -> 10, 2
    assert found.purity == pytest.approx((0.5 + 0.5 + 0 + 1 + 1) / 5)
    # elsewhere: all three of the first -> 10, 11; both of the second -> 2, 1
    assert found.purity_elsewhere == pytest.approx((0 + 0 + 1 + 0.5 + 0.5) / 5)
    assert found.chance == pytest.approx((2 * 1 + 3 * 2) / (5 * 4))
    # (b - a) / max(a, b) of each
    of = [(23 / 3 - 1) / (23 / 3), (20 / 3 - 1) / (20 / 3), (1.5 - 8.5) / 8.5, (9.5 - 4.5) / 9.5, (10.5 - 5) / 10.5]
    assert found.silhouette == pytest.approx(np.mean(of), abs=1e-5)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    x, label = random.normal(size=(40, 3)).astype(np.float32), random.integers(0, 3, 40)
    whole = separation(x, label, np.arange(40) // 5, 10)
    monkeypatch.setattr(module, "_CHUNK", 7)
    assert separation(x, label, np.arange(40) // 5, 10) == whole
    assert whole.purity == pytest.approx(whole.chance, abs=0.1)  # nothing is to be found there


def test_apart_and_alike() -> None:
    x = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    label = np.repeat([0, 1], 10)
    found = separation(x, label, np.arange(20), 5)
    assert (found.silhouette, found.purity) == (1, 1)
    one = separation(x, np.zeros(20, dtype=np.int64), np.zeros(20, dtype=np.int64), 5)
    assert (one.purity, one.chance) == (1, 1)
    assert np.isnan(one.silhouette)  # of one emotion alone
    assert np.isnan(one.purity_elsewhere)  # there is no other conversation
