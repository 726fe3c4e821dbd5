"""Overlapping windows over a long conversation, and the window that predicts each utterance.

    conversation   ------------------------------------------------
    windows        [================]
                               [================]
                                             [====================]
    predicted by   aaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccc

Each window is a separate conversation for the model. An utterance in two windows is predicted in the one that gives it
more context: for a bidirectional model, the window whose ends are farther away, so that every utterance away from the
ends of the conversation has at least half of the overlap on either side; for a causal model, the earlier window, which
has more of the preceding utterances.

This module does not import torch, so that the command line can check the settings quickly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError

WINDOWED_UTTERANCES = 2048
"""Approximate number of utterances per forward pass when conversations are cut into windows."""

SHARE = 4
"""The default overlap is the size of the window divided by this."""


class Window(NamedTuple):
    """A range of a conversation, in utterances from 0."""

    first: int
    end: int
    predicts_from: int
    """The first utterance that this window predicts."""
    predicts_to: int
    """The utterance after the last one that this window predicts."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The size and overlap of windows.

    Raises:
        InputError: The window is empty, or the overlap is not shorter than it.

    Example:
        >>> [tuple(window) for window in Windows(8, 4).split(13)]
        [(0, 8, 0, 6), (4, 12, 6, 9), (5, 13, 9, 13)]
    """

    size: int
    """Utterances of a window. Shorter conversations are not split."""
    overlap: int
    """Utterances that two windows share; the last window, which ends with the conversation, can share more."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"window: {self.size} is less than 1 utterance")
        if not 0 <= self.overlap < self.size:
            raise InputError(
                f"overlap: {self.overlap} of a window of {self.size}; it must be at least 0 and less than the window"
            )

    @classmethod
    def from_options(cls, window: int | None, overlap: int | None = None) -> Self | None:
        """Create windows from two options; None if conversations are not split.

        Args:
            window: Utterances of a window; None for the whole conversation.
            overlap: Utterances that two windows share; None for a quarter of the window.

        Raises:
            InputError: The overlap is given without a window, or a value is out of range.
        """
        if window is None:
            if overlap is not None:
                raise InputError(f"overlap: {overlap} is given without a window; give a window, too")
            return None
        return cls(window, window // SHARE if overlap is None else overlap)

    def split(self, length: int, *, causal: bool = False) -> list[Window]:
        """The windows of a conversation, in order.

        Args:
            length: The number of utterances of the conversation.
            causal: Whether the model uses preceding utterances only.
        """
        starts = [*range(0, length - self.size, self.size - self.overlap), max(0, length - self.size)]
        ends = [min(start + self.size, length) for start in starts]
        shared = zip(ends, starts[1:], strict=False)  # the end of one window, and the start of the next
        borders = [end if causal else (start + end + 1) // 2 for end, start in shared]
        counts = itertools.pairwise([0, *borders, length])
        return [Window(*window, *of) for window, of in zip(zip(starts, ends, strict=True), counts, strict=True)]


RowIndex = slice | npt.NDArray[np.int64]
"""Selects rows of a batch."""


class ForwardPass(NamedTuple):
    """A forward pass over a batch, or over excerpts of it as conversations."""

    excerpts: list[tuple[int, int]] | None
    """The first row and the row after the last row of each excerpt; None for the batch as it is."""
    rows: RowIndex
    """The rows of the batch that this pass predicts."""
    within: RowIndex
    """The same rows in the output of the pass."""


def forward_passes(lengths: Sequence[int], windows: Windows | None, *, causal: bool = False) -> Iterator[ForwardPass]:
    """Divide a packed batch into forward passes; every row is predicted by one of them, in any order.

    Args:
        lengths: The utterances of each conversation.
        windows: How to split long conversations; None for the whole batch in one pass.
        causal: Whether the model uses preceding utterances only.
    """
    if windows is None or max(lengths) <= windows.size:
        yield ForwardPass(None, slice(None), slice(None))
        return
    ends = list(itertools.accumulate(lengths))
    spans = [(end - length, end) for length, end in zip(lengths, ends, strict=True)]
    short = [(a, b, a, b) for a, b in spans if b - a <= windows.size]
    if short and ends[-1] <= WINDOWED_UTTERANCES:  # the same batch gives bit-identical results as without windows
        rows = _rows([(a, b) for a, b, *_ in short])
        yield ForwardPass(None, rows, rows)
    elif short:
        yield _excerpts(short)
    cut = [
        (a + window.first, a + window.end, a + window.predicts_from, a + window.predicts_to)
        for a, b in spans
        if b - a > windows.size
        for window in windows.split(b - a, causal=causal)
    ]
    size = max(1, WINDOWED_UTTERANCES // windows.size)
    for first in range(0, len(cut), size):
        yield _excerpts(cut[first : first + size])


def _excerpts(stretches: Sequence[tuple[int, int, int, int]]) -> ForwardPass:
    """A pass over spans as conversations; each span is (a, b, c, d): run rows [a, b), predict rows [c, d)."""
    starts = itertools.accumulate((b - a for a, b, *_ in stretches), initial=0)
    within = [(start + c - a, start + d - a) for start, (a, _, c, d) in zip(starts, stretches, strict=False)]
    return ForwardPass([(a, b) for a, b, *_ in stretches], _rows([(c, d) for *_, c, d in stretches]), _rows(within))


def _rows(spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in spans])
