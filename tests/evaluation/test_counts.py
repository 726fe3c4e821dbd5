"""Scores from counts, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.evaluation.counts import Counts
from sdt.evaluation.metrics import measure_names, metrics
from sdt.evaluation.scores import score

LABELS = ("calm", "cross", "glad", "never")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(0, 9),
)
def test_they_are_those_of_scikit_learn(utterances: list[tuple[int, int, int]], seed: int) -> None:
    true, said, conversation = np.array(utterances).T
    predicted = np.stack([said, np.random.default_rng(seed).permutation(said)])
    found = Counts.of(true, predicted, conversation, (4, len(LABELS))).totals()
    for row, of_run in zip(found, predicted, strict=True):
        expected = score(true, of_run, LABELS)
        np.testing.assert_allclose(row[:3], [getattr(expected, name) for name in metrics()], atol=1e-12)
        np.testing.assert_allclose(row[3:], [expected.classes[label].f1 for label in LABELS], atol=1e-12)


def test_the_names_of_the_columns() -> None:
    assert measure_names(("calm", "accuracy")) == (*metrics(), "f1:calm", "f1:accuracy")


def test_a_conversation_that_counts_twice() -> None:
    true, predicted, conversation = np.array([0, 1, 1, 2]), np.array([[0, 1, 2, 2]]), np.array([0, 0, 1, 1])
    counts = Counts.of(true, predicted, conversation, (2, 4))
    (once, twice, nothing) = counts.weighted(np.array([[1.0, 1], [2, 1], [0, 0]]))[:, 0]
    np.testing.assert_allclose(once, counts.totals()[0])
    again = score([*true, 0, 1], [*predicted[0], 0, 1], LABELS)
    assert twice[:3] == pytest.approx([again.accuracy, again.weighted_f1, again.macro_f1])
    assert np.isnan(nothing[:3]).all()
