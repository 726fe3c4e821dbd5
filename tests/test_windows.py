"""How long conversations are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.windows import Windows


@given(length=st.integers(1, 60), size=st.integers(1, 12), share=st.floats(0, 1), causal=st.booleans())
def test_every_utterance_is_said_by_the_window_with_most_context(
    length: int, size: int, share: float, causal: bool
) -> None:
    windows = Windows(size, min(int(share * size), size - 1))
    cut = windows.split(length, causal=causal)
    assert [i for window in cut for i in range(window.predicts_from, window.predicts_to)] == list(range(length))
    assert all(window.end - window.first == min(size, length) for window in cut)
    assert all(one.end - two.first >= windows.overlap for one, two in itertools.pairwise(cut))

    def context(i: int, first: int, end: int) -> float:
        """What lies around an utterance on the side where there is less; nothing is missing at the very ends."""
        before = i - first if first > 0 else length
        after = end - 1 - i if end < length else length
        return before if causal else min(before, after)

    for window in cut:
        for i in range(window.predicts_from, window.predicts_to):
            best = max(context(i, other.first, other.end) for other in cut if other.first <= i < other.end)
            assert context(i, window.first, window.end) == best


def test_a_conversation_as_long_as_the_window_is_one() -> None:
    assert [tuple(window) for window in Windows(8, 3).split(8)] == [(0, 8, 0, 8)]
    assert len(Windows(8, 3).split(9)) == 2


def test_what_the_options_mean() -> None:
    assert Windows.from_options(None) is None
    assert Windows.from_options(512) == Windows(512, 128)
    assert Windows.from_options(1) == Windows(1, 0)
    assert Windows.from_options(512, 0) == Windows(512, 0)


@pytest.mark.parametrize(
    ("window", "overlap", "message"),
    [
        (0, None, "window: 0 is less than 1"),
        (8, 8, "overlap: 8 of a window of 8"),
        (8, -1, "overlap: -1 of a window of 8; it must be at least 0"),
        (None, 2, "overlap: 2 is given without a window"),
    ],
)
def test_what_cannot_be(window: int | None, overlap: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Windows.from_options(window, overlap)
