"""File cache of predictions, from which an interrupted robustness test resumes.

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
    """The key of a prediction: everything that it depends on."""

    model: str
    """SHA-256 of the model's parameters."""
    corpus: str
    """Fingerprint of the corpus."""
    split: str
    disturbance: str
    level: float
    seed: int


class PredictionCache:
    """A cache of predictions in a file.

    Args:
        path: A JSON Lines file; an existing file is read and extended.

    Raises:
        InputError: A line cannot be read; a truncated last line is removed without an error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[PredictionKey, npt.NDArray[np.int64]] = {}
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = text.split("\n")
        for number, line in enumerate(lines[:-1], start=1):  # text after the last line end was truncated
            try:
                values = json.loads(line)
                predicted = np.array(values.pop("predicted"), dtype=np.int64)
                self._made[PredictionKey(**values)] = predicted
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{path}, line {number}: damaged ({error}); restart with --overwrite") from None
        if lines[-1]:
            path.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")

    def get(self, key: PredictionKey, size: int) -> npt.NDArray[np.int64] | None:
        """Return the predicted class numbers [N]; None if they are not cached or of another test set."""
        found = self._made.get(key)
        return found if found is not None and len(found) == size else None

    def put(self, key: PredictionKey, predicted: npt.NDArray[np.int64]) -> None:
        """Add predictions to the cache and its file."""
        self._made[key] = predicted
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(key), "predicted": predicted.tolist()}) + "\n")
