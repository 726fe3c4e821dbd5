"""`opensmile:SET`: feature sets of openSMILE, common baselines in the field.

| name                     | set                                                          | D    |
|--------------------------|--------------------------------------------------------------|------|
| `opensmile:IS10`         | INTERSPEECH 2010 Paralinguistic Challenge; SDT's for IEMOCAP | 1582 |
| `opensmile:eGeMAPSv02`   | extended Geneva minimalistic acoustic parameters             | 88   |
| `opensmile:ComParE_2016` | INTERSPEECH computational paralinguistics, 2016              | 6373 |

openSMILE is in the package `opensmile` (extra `opensmile`). Its licence does not allow commercial use.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.errors import InputError, MissingDependencyError, near_miss
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem

SETS = {"IS10": 1582, "eGeMAPSv02": 88, "ComParE_2016": 6373}
"""The width of each set."""
IS10 = Path("core", "config", "is09-13", "IS10_paraling_compat.conf")
"""The configuration of IS10 in the package, which has no name for this set. According to its documentation, the
features equal those of the original set except for jitter and shimmer, which are corrected."""
RATE = 16000
"""Samples per second that the frequency bands of the sets assume."""
SHORTEST = 0.1
"""The shortest utterance in seconds; the longest frames have 60 ms."""


class OpenSmile:
    """The feature encoder `opensmile:SET`.

    Args:
        name: `opensmile:` and the name of a set.

    Raises:
        InputError: The set is unknown.
        MissingDependencyError: `opensmile` is not installed.
    """

    modality = "audio"
    licence_note = (
        "openSMILE's licence allows private, research and educational use, but no commercial use: "
        "see https://github.com/audeering/opensmile/blob/master/LICENSE"
    )

    def __init__(self, name: str) -> None:
        feature_set = name.partition(":")[2]
        if feature_set not in SETS:
            raise InputError(f"feature encoder {name!r}: unknown feature set{near_miss(feature_set, SETS)}")
        try:
            import opensmile
        except ImportError:
            raise MissingDependencyError(
                f"feature encoder {name!r}: opensmile is not installed; "
                "install it with: pip install 'sdt-erc[opensmile]'"
            ) from None
        self.name = name
        self.width = SETS[feature_set]
        is_file = feature_set == "IS10"
        self._smile: Any = opensmile.Smile(
            feature_set=str(Path(opensmile.__file__).parent / IS10) if is_file else opensmile.FeatureSet[feature_set],
            feature_level="func" if is_file else opensmile.FeatureLevel.Functionals,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """[D] the names of the features in openSMILE."""
        return tuple(self._smile.feature_names)

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, self._describe, progress)

    def _describe(self, clip: Clip) -> Vector:
        samples = decode_audio(clip).mono(RATE)
        if len(samples) < SHORTEST * RATE:
            raise MediaProblem(f"shorter than {SHORTEST} s")
        table = self._smile.process_signal(samples, RATE)
        return np.asarray(table.to_numpy()[0], dtype=np.float32)
