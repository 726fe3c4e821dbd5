"""Predictions that are done while others are not yet: a folder beside the output, with a file for each batch.

A file's name is the SHA-256 of all that its predictions follow from: words, recordings, model, versions. So the same
command, begun again, finds what is done, and what has changed meanwhile is simply made anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sdt.conversation import Prediction
from sdt.errors import InputError
from sdt.files import write_text
from sdt.prediction.extraction import Missing
from sdt.prediction.pipeline import BatchResult

_FIELDS = [field.name for field in dataclasses.fields(Prediction)]


class BatchResults:
    """The parts of one output.

    Args:
        output: The file or folder that is being made.
        origin: What all predictions follow from, as JSON values.
    """

    def __init__(self, output: Path, origin: Mapping[str, object]) -> None:
        self.folder = output.with_name(f".{output.name}.parts")
        self._origin = origin

    def key(self, content: Sequence[object]) -> str:
        """The name of a batch's part."""
        return hashlib.sha256(json.dumps([self._origin, content]).encode()).hexdigest()

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def put(self, key: str, part: BatchResult) -> None:
        """Keep what came of a batch."""
        values = {
            "predictions": [[getattr(of, name) for name in _FIELDS] for of in part.predictions],
            "missing": {modality: dataclasses.asdict(of) for modality, of in part.missing.items()},
        }
        write_text(self._path(key), json.dumps(values))

    def get(self, key: str) -> BatchResult:
        """What came of a batch, to the last bit.

        Raises:
            InputError: It is not there, or damaged.
        """
        path = self._path(key)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            missing = {modality: Missing(**of) for modality, of in values["missing"].items()}
            return BatchResult([Prediction(*of) for of in values["predictions"]], missing)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}); remove the folder {self.folder}, and give the same command "
                "again"
            ) from None

    def remove(self) -> None:
        """When the output is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"  # many files in one folder are slow to find
