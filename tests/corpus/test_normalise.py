from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from sdt import feature_table
from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.normalise import normalise
from sdt.errors import InputError
from sdt.feature_table import FeatureTable, StreamedTable
from sdt.speakers import Speakers
from sdt.z_scores import moments, streamed_moments


def builder_of(x: list[list[float]], present: list[bool]) -> CorpusBuilder:
    """Two conversations of three utterances, the first in train, the second in test."""
    conversations = [Conversation(c, tuple(Utterance(str(n), "A", label="joy") for n in range(3))) for c in "ab"]
    table = FeatureTable(np.array(x, dtype=np.float32), np.array(present), "praat8")
    splits = {"train": ["a"], "test": ["b"]}
    return CorpusBuilder("d", conversations, ("joy", "anger"), splits, {"audio": table}, Speakers("appearance", 1))


X = [[1.0, 5.0], [3.0, 5.0], [100.0, 5.0], [10.0, 0.0], [20.0, 2.0], [30.0, 4.0]]
PRESENT = [True, True, False, True, True, True]


def test_within_the_conversation_over_present_rows() -> None:
    builder = builder_of(X, PRESENT)
    normalise(builder, {"audio": "conversation"})
    table = builder.features["audio"]
    np.testing.assert_allclose(table.features[:2], [[-1, 0], [1, 0]])  # what does not vary becomes 0
    np.testing.assert_array_equal(table.features[2], X[2])  # missing: not looked at, not touched
    np.testing.assert_allclose(table.features[3:].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(table.features[3:].std(axis=0), 1, rtol=1e-6)
    assert table.encoder == "praat8|z:conversation"


def test_over_the_corpus_by_its_train_split_only() -> None:
    builder = builder_of(X, PRESENT)
    normalise(builder, {"audio": "corpus"})
    table = builder.features["audio"]
    np.testing.assert_allclose(table.features[[0, 1, 3]], [[-1, 0], [1, 0], [8, 0]])
    assert table.encoder == "praat8|z:corpus"
    assert builder.provenance["normalisation"] == {"audio": {"mean": [2.0, 5.0], "deviation": [1.0, 0.0]}}


@pytest.mark.parametrize("how", ["conversation", "corpus"])
def test_a_bad_value_spoils_no_other_row_and_stays_to_be_found(how: Literal["conversation", "corpus"]) -> None:
    x = [row[:] for row in X]
    x[0][1], x[4][0] = np.nan, np.inf
    builder = builder_of(x, PRESENT)
    normalise(builder, {"audio": how})
    assert np.isfinite(builder.features["audio"].features).all(axis=1).tolist() == [
        False,
        True,
        True,
        True,
        False,
        True,
    ]
    with pytest.raises(InputError, match="2 NaN or infinite values in 2 utterances"):
        builder.check()


def test_equal_values_are_no_deviation_whatever_their_size() -> None:
    builder = builder_of([[0.1, 1e30]] * 6, [True] * 6)
    normalise(builder, {"audio": "conversation"})
    assert not builder.features["audio"].features.any()


def test_none_changes_nothing() -> None:
    builder = builder_of(X, PRESENT)
    normalise(builder, {"audio": "none"})
    np.testing.assert_array_equal(builder.features["audio"].features, np.array(X, dtype=np.float32))
    assert builder.features["audio"].encoder == "praat8"


def test_a_modality_that_is_not_there() -> None:
    with pytest.raises(InputError, match="unknown modality 'audoi'; did you mean 'audio'"):
        normalise(builder_of(X, PRESENT), {"audoi": "corpus"})


def test_the_corpus_needs_train_rows() -> None:
    builder = builder_of(X, [False] * 3 + [True] * 3)
    with pytest.raises(InputError, match="requires train utterances"):
        normalise(builder, {"audio": "corpus"})


@pytest.mark.parametrize("sizes", [[50], [1, 49], [7, 0, 20, 23], [1] * 50])
def test_statistics_in_one_pass_are_those_of_all_rows(sizes: list[int]) -> None:
    random = np.random.default_rng(1)
    # A mean that is large against the deviation spoils the naive sum of squares.
    x = (random.normal(size=(50, 4)) * [1, 1e-3, 100, 0] + [0, 1e4, -1e6, 0.1]).astype(np.float32)
    parts = np.split(x, np.cumsum(sizes)[:-1])
    mean, deviation = streamed_moments(parts)
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-14)
    np.testing.assert_allclose(deviation[:3], x.std(axis=0, dtype=np.float64)[:3], rtol=1e-9)
    assert deviation[3] == 0


def test_statistics_of_one_part_are_numpys_bit_for_bit() -> None:
    x = np.random.default_rng(2).normal(size=(300, 5)).astype(np.float32)
    mean, deviation = moments(x)
    assert mean.tolist() == x.astype(np.float64).mean(axis=0).tolist()
    assert deviation.tolist() == x.astype(np.float64).std(axis=0).tolist()


@pytest.mark.parametrize("how", ["conversation", "corpus"])
@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_features_that_are_read_in_pieces_become_the_same(
    how: Literal["conversation", "corpus"], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = [row[:] for row in X]
    x[4][0] = np.inf
    whole, streamed = builder_of(x, PRESENT), builder_of(x, PRESENT)
    table = streamed.features["audio"]
    streamed.features["audio"] = StreamedTable(lambda at: table.features[at], (6, 2), table.present, table.encoder)
    monkeypatch.setattr(feature_table, "CHUNK_VALUES", 2 * rows)
    for builder in (whole, streamed):
        normalise(builder, {"audio": how})
        builder.check(treat_as_missing=True)
    found = streamed.features["audio"]
    parts = [found.rows(at) for at in feature_table.row_chunks(found.shape)]
    assert len(parts) == -(-6 // rows)
    np.testing.assert_allclose(np.concatenate(parts), whole.features["audio"].features, rtol=1e-6)
    np.testing.assert_array_equal(found.features, np.concatenate(parts))
    assert found.present.tolist() == whole.features["audio"].present.tolist()
    assert found.encoder == whole.features["audio"].encoder
    assert streamed.notes == whole.notes
    if how == "corpus":
        np.testing.assert_allclose(_statistics(streamed), _statistics(whole), rtol=1e-12)


def _statistics(builder: CorpusBuilder) -> list[list[float]]:
    kept = builder.provenance["normalisation"]
    assert isinstance(kept, dict)
    return [kept["audio"]["mean"], kept["audio"]["deviation"]]
