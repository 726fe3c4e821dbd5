"""One modality's features for every utterance of some conversations, in memory or read piece by piece from a file.

Shapes: N utterances, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Read = Callable[[slice], npt.NDArray[np.float32]]
"""From a range of utterances to their features, [rows, D]."""
PIECE_VALUES = 1 << 19
"""Numbers of a piece, about: two megabytes in single precision."""


def row_pieces(shape: Sequence[int]) -> Iterator[slice]:
    """The ranges of rows of the pieces of a matrix [N, D], in order."""
    rows = max(1, PIECE_VALUES // max(1, shape[1]))
    return (slice(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows))


@dataclass
class FeatureTable:
    """One modality's features: a row for every utterance of the corpus, in the order of the conversations."""

    features: npt.NDArray[np.float32]
    """[N, D]; rows of missing utterances are zero."""
    present: npt.NDArray[np.bool_]
    """[N]; whether the utterance has this modality."""
    encoder: str
    """The name of the feature encoder with its settings, `minilm` say; `unknown` where nobody knows."""
    source: str = ""
    """Where the values came from (a file name), for error messages and provenance."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return self.features.shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]; zero where they are missing."""
        features: npt.NDArray[np.float32] = np.where(self.present[rows, None], self.features[rows], 0)
        return features.astype(np.float32, copy=False)

    def marked(self, present: npt.NDArray[np.bool_]) -> FeatureTable:
        """The same with another presence; what it says to be missing is zero."""
        features = np.where(present[:, None], self.features, 0).astype(np.float32)
        return FeatureTable(features, present, self.encoder, self.source)

    def changed(self, change: Callable[[Read], Read], encoder: str) -> FeatureTable:
        """The same with something done to the features, in place.

        Args:
            change: From what reads a range of rows to what reads it changed.
            encoder: The name of the encoder with what was done.
        """
        self.features[:] = change(lambda rows: self.features[rows])(slice(0, len(self.features)))
        return FeatureTable(self.features, self.present, encoder, source=self.source)


class StreamedTable(FeatureTable):
    """A feature table that is not in memory.

    Args:
        read: Gives the rows; whatever it likes where the utterance lacks the modality.
        shape: (N, D).
        present: [N]; see `FeatureTable`.
        encoder: Likewise.
        source: Likewise.
    """

    def __init__(
        self, read: Read, shape: tuple[int, int], present: npt.NDArray[np.bool_], encoder: str, source: str = ""
    ) -> None:
        self._read, self._shape = read, shape
        self.present, self.encoder, self.source = present, encoder, source

    @cached_property
    def features(self) -> npt.NDArray[np.float32]:  # type: ignore[override] # whoever asks for all of it gets it
        """[N, D], read as a whole."""
        return self.rows(slice(0, self._shape[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return self._shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]; zero where they are missing."""
        return np.where(self.present[rows, None], self._read(rows), np.float32(0))

    def marked(self, present: npt.NDArray[np.bool_]) -> StreamedTable:
        """The same with another presence."""
        return StreamedTable(self._read, self._shape, present, self.encoder, self.source)

    def changed(self, change: Callable[[Read], Read], encoder: str) -> StreamedTable:
        """The same with something done to what is read."""
        return StreamedTable(change(self._read), self._shape, self.present, encoder, self.source)
