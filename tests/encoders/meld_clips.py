"""The seven real clips of MELD's train dialogue 1, with what the tables of audio features say of them."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sdt.encoders.audio_voice8 import NAMES
from sdt.media.audio import Audio, decode_audio
from sdt.media.clip import Clip
from tests.shared import SHARED_DATA

OFFSET = 7.07
"""dB by which the channels' mean is louder than what the tables were made from."""
AGREEMENT = {
    "duration": 0.025,
    "avg_intensity": 0.25,
    "intensity_variation": 0.40,
    "avg_pitch": 10.0,
    "pitch_std": 3.0,
    "pitch_range": 2.5,
    "articulation_rate": 0.04,
    "mean_hnr": 0.60,
}
"""The largest difference from the table on any clip, rounded up; of the mean intensity, less its offset."""


def real_clip(utterance: int) -> Audio:
    """The sound of a clip: utterances 0 to 5, and 8."""
    assert SHARED_DATA is not None
    return decode_audio(Clip(SHARED_DATA / "media" / f"dia1_utt{utterance}.wav"))


def table_row(utterance: int) -> dict[str, str]:
    """What the table says of it."""
    assert SHARED_DATA is not None
    with (SHARED_DATA / "meld" / "meld_train_audio_features.csv").open(encoding="utf-8") as file:
        return {row["filename"]: row for row in csv.DictReader(file)}[f"dia1_utt{utterance}.wav"]


def differences(measure: Callable[[Audio], dict[str, float]]) -> dict[str, npt.NDArray[np.float64]]:
    """Measured less table, of utterances 0 to 4 and 8 (5 lacks a value), [6] each; the mean intensity less `OFFSET`."""
    rows = []
    for utterance in (0, 1, 2, 3, 4, 8):
        measured, known = measure(real_clip(utterance)), table_row(utterance)
        rows.append([measured[name] - float(known[name]) for name in NAMES])
    found = dict(zip(NAMES, np.array(rows).T, strict=True))
    found["avg_intensity"] -= OFFSET
    return found
