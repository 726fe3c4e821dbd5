"""Hashed words are those of scikit-learn, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from sdt.encoders.text_words import HashedWords


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=5), st.integers(1, 600))
def test_as_scikit_learn(texts: list[str], width: int) -> None:
    reference = HashingVectorizer(
        n_features=width, ngram_range=(1, 2), token_pattern=r"\w+|[!?]", norm="l2", dtype=np.float32
    )
    expected = reference.transform(texts).toarray()
    np.testing.assert_array_equal(HashedWords(width).encode(texts), expected)


def test_lone_surrogates_are_words() -> None:
    assert HashedWords(16).encode(["a\udc80b", "\ud800"]).any(axis=1).tolist() == [True, False]
