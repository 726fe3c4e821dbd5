"""`praat`: eight measurements by Praat, as in the tables of audio features that go round for MELD.

Praat comes as the package `praat-parselmouth` (extra `praat`), which is under the GNU General Public License 3; this
module only calls it. `voice8` makes the same measurements, and nearly the same values, without it.

The settings are those that come closest to the tables on seven clips: pitch within 1.4 % (5.2 % in one noisy clip),
intensity's variation within 0.4 dB, the harmonics-to-noise ratio within 0.6 dB, the same syllables. Mean intensity
depends on how a clip was mixed down; see `sdt.encoders.audio_voice8`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from sdt.encoders.audio_syllables import BURST, FLOOR, PAUSE, RANGE, peaks_before_dips
from sdt.encoders.audio_voice8 import GRID, NAMES, PITCH, RATE, SHORTEST
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.errors import InputError, MissingDependencyError
from sdt.media.audio import Audio, decode_audio
from sdt.media.clip import Clip, MediaProblem

UNDEFINED = -200.0
"""What Praat gives as the harmonicity of a silent frame, in dB."""


class Praat:
    """The feature encoder `praat`. An utterance in which no pitch or no syllable is found is missing, as in the tables.

    Raises:
        MissingDependencyError: `praat-parselmouth` is not installed.
    """

    name = "praat"
    modality = "audio"
    names = NAMES
    width = len(NAMES)
    licence_note = None

    def __init__(self, name: str = "praat") -> None:
        if name != self.name:
            raise InputError(f"feature encoder {name!r}: 'praat' has no settings")
        try:
            import parselmouth
        except ImportError:
            raise MissingDependencyError(
                "feature encoder 'praat': praat-parselmouth is not installed; "
                "install it with: pip install 'sdt-erc[praat]'"
            ) from None
        self._praat: Any = parselmouth

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, self._describe, progress)

    def _describe(self, clip: Clip) -> Vector:
        return np.array(list(self.measure(decode_audio(clip)).values()), dtype=np.float32)

    def measure(self, audio: Audio) -> dict[str, float]:
        """The eight measurements by name.

        Raises:
            MediaProblem: The sound is too short, or it has no voice or no syllable.
        """
        if audio.seconds < SHORTEST:
            raise MediaProblem(f"shorter than {SHORTEST} s")
        samples = audio.mono(RATE).astype(np.float64)
        sound = self._praat.Sound(np.pad(samples, (0, -len(samples) % GRID)), RATE)
        hertz = sound.to_pitch(0.01, PITCH.floor, PITCH.ceiling).selected_array["frequency"]
        hertz = hertz[hertz > 0]
        if not hertz.size:
            raise MediaProblem("no voice found")
        intensity = sound.to_intensity()
        harmonicity = sound.to_harmonicity().values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Praat's remark that a sound is nowhere silent
            syllables, seconds = self._syllables(sound)
        if not syllables:
            raise MediaProblem("no syllable found")
        return {
            "duration": audio.seconds,
            "avg_intensity": float(intensity.get_average()),
            "intensity_variation": float(intensity.values.std()),
            "avg_pitch": float(hertz.mean()),
            "pitch_std": float(hertz.std()),
            "pitch_range": float(np.ptp(hertz)),
            "articulation_rate": syllables / seconds,
            "mean_hnr": float(harmonicity[harmonicity != UNDEFINED].mean()),
        }

    def _syllables(self, sound: Any) -> tuple[int, float]:  # noqa: ANN401 - parselmouth has no types
        """Syllables, and seconds of speech, by the method of syllable nuclei.

        N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
        Behavior Research Methods 41 (2009): a syllable is a voiced peak of intensity that a dip follows.
        """
        call = self._praat.praat.call
        intensity = sound.to_intensity(FLOOR)
        level, times = intensity.values[0], intensity.xs()
        highest = call(intensity, "Get maximum", 0, 0, "Parabolic")
        loud = call(intensity, "Get quantile", 0, 0, 0.99)
        lowest = call(intensity, "Get minimum", 0, 0, "Parabolic")
        threshold = max(loud - RANGE, lowest)
        # Praat counts silence from the maximum; the loud frames are what is meant, lest a knock set the scale.
        silence = -RANGE - (highest - loud)
        grid = call(intensity, "To TextGrid (silences)", silence, PAUSE, BURST, "silent", "sounding")
        spoken = [interval for interval in _intervals(call, grid) if interval[2] == "sounding"]
        pitch = sound.to_pitch_ac(0.02, 30, 4, False, 0.03, 0.25, 0.01, 0.35, 0.25, 450)
        count = 0
        for peak in peaks_before_dips(level, threshold):
            voiced = not math.isnan(pitch.get_value_at_time(times[peak]))
            count += voiced and any(start <= times[peak] <= end for start, end, _ in spoken)
        return count, sum(end - start for start, end, _ in spoken)


def _intervals(call: Any, grid: Any) -> list[tuple[float, float, str]]:  # noqa: ANN401 - parselmouth has no types
    """Start, end and label of a text grid's intervals."""
    return [
        (
            call(grid, "Get start time of interval", 1, k),
            call(grid, "Get end time of interval", 1, k),
            call(grid, "Get label of interval", 1, k),
        )
        for k in range(1, call(grid, "Get number of intervals", 1) + 1)
    ]
