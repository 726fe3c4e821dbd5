"""One modality of a corpus on disk: its features, mapped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.corpus.tensors import map_tensors
from sdt.errors import InputError


@dataclass(frozen=True)
class Modality:
    """One modality of an opened corpus."""

    name: str
    width: int
    """D, the number of features of an utterance."""
    encoder: str
    """The feature encoder's name with its settings."""
    path: Path

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """[N]; whether each utterance has this modality; mapped."""
        present: npt.NDArray[np.bool_] = self._tensors["present"]
        return present

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D) as the file has it."""
        return self._tensors["features"].shape

    def rows(self, rows: slice) -> npt.NDArray[np.float32]:
        """The features of a range of utterances, [rows, D]: a view of the mapped file, which cannot be written to."""
        features: npt.NDArray[np.float32] = self._tensors["features"][rows]
        return features

    @cached_property
    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        try:
            found = map_tensors(self.path)
        except InputError as error:
            raise InputError(f"{error}; import the corpus again") from None
        for name, dtype, dimensions in (("features", np.float32, 2), ("present", np.bool_, 1)):
            array = found.get(name)
            if array is None or array.dtype != dtype or array.ndim != dimensions:
                what = "missing" if array is None else f"of type {array.dtype} and shape {array.shape}"
                raise InputError(f"{self.path}: cannot be read ({name!r} is {what}); import the corpus again")
        if found["features"].shape[1] != self.width:
            raise InputError(
                f"{self.path}: its shape {found['features'].shape} does not fit the width {self.width} of corpus.json; "
                "import the corpus again"
            )
        return found
