"""A file of the predictions made so far, so that an interrupted measurement resumes.

Shapes: N annotated utterances.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError


@dataclass(frozen=True)
class PredictionKey:
    """What a prediction depends on."""

    model: str
    """SHA-256 of the model's parameters."""
    corpus: str
    """The corpus' fingerprint."""
    split: str
    disturbance: str
    level: float
    seed: int


class PredictionCache:
    """The predictions that were made so far.

    Args:
        path: A JSON Lines file; one that is there is read, and gone on with.

    Raises:
        InputError: A line of it, other than a last one that was cut off, cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[PredictionKey, npt.NDArray[np.int64]] = {}
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = text.split("\n")
        for number, line in enumerate(lines[:-1], start=1):  # what stands after the last line end was cut off
            try:
                values = json.loads(line)
                predicted = np.array(values.pop("predicted"), dtype=np.int64)
                self._made[PredictionKey(**values)] = predicted
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path}, line {number}: damaged ({error}); start anew with --overwrite") from None
        if lines[-1]:
            path.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")

    def get(self, key: PredictionKey, size: int) -> npt.NDArray[np.int64] | None:
        """The class numbers [N] that were predicted; None if they were not yet, or of another test set."""
        found = self._made.get(key)
        return found if found is not None and len(found) == size else None

    def put(self, key: PredictionKey, predicted: npt.NDArray[np.int64]) -> None:
        """Keep a prediction."""
        self._made[key] = predicted
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(key), "predicted": predicted.tolist()}) + "\n")
