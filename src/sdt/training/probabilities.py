"""The fused probabilities of finished runs, read from their predictions.

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
from sdt.evaluation.calibration import calibration_error, remove_temperature
from sdt.formats.parsing.json_records import json_lines
from sdt.models.config import FUSED
from sdt.training.folder import RunFolder


@dataclass(frozen=True, eq=False)
class SplitProbabilities:
    """The fused probabilities of one run on a split."""

    probabilities: npt.NDArray[np.float32]
    """[N, C], calibrated by the temperature."""
    label: npt.NDArray[np.int64]
    """[N] class numbers; -1 for unlabelled utterances."""
    temperature: float
    """The temperature of the calibration; 1 for models without calibration."""

    @property
    def uncalibrated(self) -> npt.NDArray[np.float32]:
        """The probabilities without the temperature, [N, C]."""
        return remove_temperature(self.probabilities, self.temperature)

    @property
    def calibration_errors(self) -> tuple[float, float]:
        """The expected calibration error without and with the temperature."""
        return calibration_error(self.uncalibrated, self.label), calibration_error(self.probabilities, self.label)


def read_probabilities(run: RunFolder, split: str) -> SplitProbabilities:
    """Read the probabilities of a run.

    Raises:
        InputError: They are missing or damaged.
    """
    path = run.path / "predictions" / f"{split}.jsonl"
    if not path.is_file():
        raise InputError(f"{path}: file not found; the run has no predictions of split {split!r}")
    records = [record for _, record in json_lines(path)]
    try:
        labels = list(_distribution(records[0]))
        number = {label: index for index, label in enumerate(labels)}
        probabilities = np.array([[_distribution(r)[label] for label in labels] for r in records], dtype=np.float32)
        label = np.array([number[str(r["label"])] if "label" in r else -1 for r in records], dtype=np.int64)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: probabilities are missing or damaged ({type(error).__name__}: {error})") from None
    if (label < 0).all():
        raise InputError(f"{path}: no utterance has a label")
    return SplitProbabilities(probabilities, label, _temperature(run.model / "config.json"))


def _distribution(record: Mapping[str, Any]) -> Mapping[str, float]:
    found = record["probabilities"]
    if not isinstance(found, dict):
        raise TypeError(f"probabilities are {found!r}")
    return found


def _temperature(config: Path) -> float:
    """The temperature of the fused classifier; 1 for models of earlier versions."""
    try:
        return float(json.loads(config.read_text(encoding="utf-8")).get("temperatures", {}).get(FUSED, 1.0))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{config}: missing or damaged ({error}); cannot read the temperature") from None
