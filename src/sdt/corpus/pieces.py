"""How a matrix that may be larger than memory is gone through: some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

VALUES = 1 << 19
"""Numbers of a piece, about: two megabytes in single precision."""


def pieces(shape: Sequence[int]) -> Iterator[slice]:
    """The ranges of rows of the pieces of a matrix [N, D], in order."""
    rows = max(1, VALUES // max(1, shape[1]))
    return (slice(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows))
