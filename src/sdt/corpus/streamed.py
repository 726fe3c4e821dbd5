"""Features that are read while a corpus is written, piece by piece, from a file that may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sdt.corpus.draft import FeatureTable, Read


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
