"""Reads the fused probabilities of finished runs from their predictions.

Shapes: N utterances, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.errors import InputError
from sdt.evaluation.calibration import calibration_error, reheated
from sdt.formats.json_records import json_lines
from sdt.models.config import FUSED
from sdt.training.folder import RunFolder


@dataclass(frozen=True, eq=False)
class SplitProbabilities:
    """The fused probabilities of one run on a split."""

    probabilities: npt.NDArray[np.float32]
    """[N, C], calibrated by the temperature."""
    label: npt.NDArray[np.int64]
    """[N] class numbers; -1 where there is none."""
    temperature: float
    """That they were calibrated by; 1 for models that are not calibrated."""

    @property
    def before(self) -> npt.NDArray[np.float32]:
        """[N, C]; what the probabilities are without the temperature."""
        return reheated(self.probabilities, self.temperature)

    @property
    def errors(self) -> tuple[float, float]:
        """The expected calibration error without and with the temperature."""
        return calibration_error(self.before, self.label), calibration_error(self.probabilities, self.label)


def read_probabilities(run: RunFolder, split: str) -> SplitProbabilities:
    """Read the probabilities of a run.

    Raises:
        InputError: They are missing or damaged.
    """
    path = run.path / "predictions" / f"{split}.jsonl"
    if not path.is_file():
        raise InputError(f"{path}: no predictions of the split {split!r}")
    records = [record for _, record in json_lines(path)]
    try:
        labels = list(_distribution(records[0]))
        number = {label: index for index, label in enumerate(labels)}
        probabilities = np.array([[_distribution(r)[label] for label in labels] for r in records], dtype=np.float32)
        label = np.array([number[str(r["label"])] if "label" in r else -1 for r in records], dtype=np.int64)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: holds no probabilities, or damaged ones ({type(error).__name__}: {error})") from None
    if (label < 0).all():
        raise InputError(f"{path}: no utterance is annotated")
    return SplitProbabilities(probabilities, label, _temperature(run.model / "config.json"))


def _distribution(record: Mapping[str, Any]) -> Mapping[str, float]:
    found = record["probabilities"]
    if not isinstance(found, dict):
        raise TypeError(f"probabilities are {found!r}")
    return found


def _temperature(config: Path) -> float:
    """That of the fused prediction; models that were saved before there were any have 1."""
    try:
        return float(json.loads(config.read_text(encoding="utf-8")).get("temperatures", {}).get(FUSED, 1.0))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{config}: missing or damaged ({error}); the temperature is not known") from None
