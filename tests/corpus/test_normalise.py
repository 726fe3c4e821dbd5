from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.corpus.draft import Draft, FeatureTable
from sdt.corpus.normalise import normalise
from sdt.errors import InputError
from sdt.speakers import Speakers


def draft_of(x: list[list[float]], present: list[bool]) -> Draft:
    """Two conversations of three utterances, the first in train, the second in test."""
    conversations = [Conversation(c, tuple(Utterance(str(n), "A", label="joy") for n in range(3))) for c in "ab"]
    table = FeatureTable(np.array(x, dtype=np.float32), np.array(present), "praat8")
    splits = {"train": ["a"], "test": ["b"]}
    return Draft("d", conversations, ("joy", "anger"), splits, {"audio": table}, Speakers("appearance", 1))


X = [[1.0, 5.0], [3.0, 5.0], [100.0, 5.0], [10.0, 0.0], [20.0, 2.0], [30.0, 4.0]]
PRESENT = [True, True, False, True, True, True]


def test_within_the_conversation_over_present_rows() -> None:
    draft = draft_of(X, PRESENT)
    normalise(draft, {"audio": "conversation"})
    table = draft.features["audio"]
    np.testing.assert_allclose(table.features[:2], [[-1, 0], [1, 0]])  # what does not vary becomes 0
    np.testing.assert_array_equal(table.features[2], X[2])  # missing: not looked at, not touched
    np.testing.assert_allclose(table.features[3:].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(table.features[3:].std(axis=0), 1, rtol=1e-6)
    assert table.encoder == "praat8|z:conversation"


def test_over_the_corpus_by_its_train_split_only() -> None:
    draft = draft_of(X, PRESENT)
    normalise(draft, {"audio": "corpus"})
    table = draft.features["audio"]
    np.testing.assert_allclose(table.features[[0, 1, 3]], [[-1, 0], [1, 0], [8, 0]])
    assert table.encoder == "praat8|z:corpus"
    assert draft.provenance["normalisation"] == {"audio": {"mean": [2.0, 5.0], "deviation": [1.0, 0.0]}}


@pytest.mark.parametrize("how", ["conversation", "corpus"])
def test_a_bad_value_spoils_no_other_row_and_stays_to_be_found(how: Literal["conversation", "corpus"]) -> None:
    x = [row[:] for row in X]
    x[0][1], x[4][0] = np.nan, np.inf
    draft = draft_of(x, PRESENT)
    normalise(draft, {"audio": how})
    assert np.isfinite(draft.features["audio"].features).all(axis=1).tolist() == [False, True, True, True, False, True]
    with pytest.raises(InputError, match="2 NaN or infinite values in 2 utterances"):
        draft.check()


def test_equal_values_are_no_deviation_whatever_their_size() -> None:
    draft = draft_of([[0.1, 1e30]] * 6, [True] * 6)
    normalise(draft, {"audio": "conversation"})
    assert not draft.features["audio"].features.any()


def test_none_changes_nothing() -> None:
    draft = draft_of(X, PRESENT)
    normalise(draft, {"audio": "none"})
    np.testing.assert_array_equal(draft.features["audio"].features, np.array(X, dtype=np.float32))
    assert draft.features["audio"].encoder == "praat8"


def test_a_modality_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no modality 'audoi'; did you mean 'audio'"):
        normalise(draft_of(X, PRESENT), {"audoi": "corpus"})


def test_the_corpus_needs_train_rows() -> None:
    draft = draft_of(X, [False] * 3 + [True] * 3)
    with pytest.raises(InputError, match="needs utterances of the train split"):
        normalise(draft, {"audio": "corpus"})
