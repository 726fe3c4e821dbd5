"""The features of one modality for every utterance of a corpus, in memory or streamed from a file.

Shapes: N utterances, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Read = Callable[[slice], npt.NDArray[np.float32]]
"""Reads the features of a range of utterances, [rows, D]."""
CHUNK_VALUES = 1 << 19
"""Approximate number of values in a chunk: two megabytes in single precision."""


def row_chunks(shape: Sequence[int]) -> Iterator[slice]:
    """Split the rows of a matrix [N, D] into ranges of about `CHUNK_VALUES` values."""
    rows = max(1, CHUNK_VALUES // max(1, shape[1]))
    return (slice(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows))


@dataclass
class FeatureTable:
    """The features of one modality: one row per utterance, in the order of the conversations."""

    features: npt.NDArray[np.float32]
    """[N, D]; rows of missing utterances are zero."""
    present: npt.NDArray[np.bool_]
    """[N]; whether the utterance has this modality."""
    encoder: str
    """The name of the feature encoder with its settings, such as `words:64`; `unknown` if it is not known."""
    source: str = ""
    """The file that the values come from, for error messages and provenance."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return self.features.shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]; zero for missing utterances."""
        features: npt.NDArray[np.float32] = np.where(self.present[rows, None], self.features[rows], 0)
        return features.astype(np.float32, copy=False)

    def with_presence(self, present: npt.NDArray[np.bool_]) -> FeatureTable:
        """A copy with another `present` [N]; features of missing utterances are zero."""
        features = np.where(present[:, None], self.features, 0).astype(np.float32)
        return FeatureTable(features, present, self.encoder, self.source)

    def transform(self, change: Callable[[Read], Read], encoder: str) -> FeatureTable:
        """Transform the features in place.

        Args:
            change: Turns the function that reads a range of rows into one that reads them transformed.
            encoder: The new name of the encoder, which describes the transformation.

        Returns:
            The table with the new name.
        """
        self.features[:] = change(lambda rows: self.features[rows])(slice(0, len(self.features)))
        return FeatureTable(self.features, self.present, encoder, source=self.source)


class StreamedTable(FeatureTable):
    """A feature table that is read from a file on access.

    Args:
        read: Reads a range of rows; the values of missing utterances are ignored.
        shape: (N, D).
        present: [N] whether the utterance has this modality.
        encoder: The name of the feature encoder with its settings.
        source: The file that the values come from.
    """

    def __init__(
        self, read: Read, shape: tuple[int, int], present: npt.NDArray[np.bool_], encoder: str, source: str = ""
    ) -> None:
        self._read, self._shape = read, shape
        self.present, self.encoder, self.source = present, encoder, source

    @cached_property
    def features(self) -> npt.NDArray[np.float32]:  # type: ignore[override] # reads the whole table
        """[N, D], read as a whole."""
        return self.rows(slice(0, self._shape[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return self._shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]; zero for missing utterances."""
        return np.where(self.present[rows, None], self._read(rows), np.float32(0))

    def with_presence(self, present: npt.NDArray[np.bool_]) -> StreamedTable:
        """A table of the same file with another `present` [N]."""
        return StreamedTable(self._read, self._shape, present, self.encoder, self.source)

    def transform(self, change: Callable[[Read], Read], encoder: str) -> StreamedTable:
        """A table whose rows are transformed when they are read."""
        return StreamedTable(change(self._read), self._shape, self.present, encoder, self.source)
