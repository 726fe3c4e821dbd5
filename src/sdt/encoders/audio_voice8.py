"""`voice8` and `praat`: the eight voice measurements of published feature tables for MELD.

Duration, intensity and its variation, pitch (mean, standard deviation, range), articulation rate and harmonics-to-noise
ratio. `voice8` computes them with NumPy and SciPy from their published definitions (Boersma 1993; de Jong and Wempe
2009; the manual of Praat), with the default settings of Praat. `praat` computes them with the package
`praat-parselmouth` (extra `praat`), which is under the GNU General Public License 3. Both are equally close to the
tables; see docs/audio.md.

The settings are those that are closest to the tables on seven clips: pitch within 1.4 % (5.2 % in one noisy clip), the
variation of intensity within 0.4 dB, the harmonics-to-noise ratio within 0.6 dB, the same syllables. Mean intensity
depends on the downmix: the tables are 7.1 dB (within 0.2) below the mean of the channels of these clips, and differ by
other amounts elsewhere. It is comparable after normalisation within the conversation only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from sdt.encoders.audio_measures import (
    BURST,
    FLOOR,
    PAUSE,
    RANGE,
    count_syllables,
    frame_centres,
    frame_times,
    harmonicity,
    intensity,
    syllable_peaks,
)
from sdt.encoders.audio_pitch import PitchSettings, track_pitch
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.errors import InputError, MissingDependencyError
from sdt.media.audio import Audio, decode_audio
from sdt.media.clip import Clip, MediaProblem

NAMES = (
    "duration",
    "avg_intensity",
    "intensity_variation",
    "avg_pitch",
    "pitch_std",
    "pitch_range",
    "articulation_rate",
    "mean_hnr",
)
"""Seconds; mean energy in dB and its standard deviation over time; pitch of the voiced frames in Hz: mean, standard
deviation, range; syllables per second of speech; harmonics-to-noise ratio in dB."""
RATE = 16000
"""Samples per second, as in the source files of the tables: one of their durations is 32159 / 16000 s."""
GRID = 160
"""Sounds are padded with silence to a multiple of this many samples. The durations in the tables are multiples of
10 ms, and frames are placed symmetrically, so that this gives the frames of the tables."""
SHORTEST = 0.15
"""The shortest utterance in seconds; the intensity contour with a floor of 50 Hz requires 0.128 s."""
PITCH = PitchSettings(floor=75, ceiling=500, candidates=14, reference=500, middle_period=True)
"""The settings of the pitch, in frames that are 10 ms apart."""
INTENSITY_FLOOR = 100.0
"""The lowest pitch whose ripple the intensity contour removes, in Hz."""
HARMONICITY_FLOOR = 75.0
"""The lowest pitch of the harmonicity in Hz."""


class Voice8:
    """The feature encoder `voice8`.

    An utterance without a pitch or a syllable is missing, as in the tables.
    """

    name = "voice8"
    modality = "audio"
    names = NAMES
    width = len(NAMES)
    licence_note = None

    def __init__(self, name: str = "voice8") -> None:
        if name != self.name:
            raise InputError(f"feature encoder {name!r}: 'voice8' has no settings")

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, self._describe, progress)

    def _describe(self, clip: Clip) -> Vector:
        return np.array(list(measure(decode_audio(clip)).values()), dtype=np.float32)


def measure(audio: Audio) -> dict[str, float]:
    """Compute the eight measurements by name.

    Raises:
        MediaProblem: The sound is too short, or it has no voice or no syllable.
    """
    if audio.seconds < SHORTEST:
        raise MediaProblem(f"shorter than {SHORTEST} s")
    samples = audio.mono(RATE).astype(np.float64)
    samples = np.pad(samples, (0, -len(samples) % GRID))
    samples -= samples.mean()
    frames = frame_times(len(samples), RATE, 3 / PITCH.floor, 0.01)
    hertz = track_pitch(samples, RATE, frame_centres(frames, RATE), PITCH).hertz
    hertz = hertz[hertz > 0]
    ratio = harmonicity(samples, RATE, HARMONICITY_FLOOR)
    if not (hertz.size and ratio.size):
        raise MediaProblem("no voice found")
    syllables, seconds = count_syllables(samples, RATE)
    if not syllables:
        raise MediaProblem("no syllable found")
    level, _ = intensity(samples, RATE, INTENSITY_FLOOR)
    return {
        "duration": audio.seconds,
        "avg_intensity": float(10 * np.log10((10 ** (level / 10)).mean())),
        "intensity_variation": float(level.std()),
        "avg_pitch": float(hertz.mean()),
        "pitch_std": float(hertz.std()),
        "pitch_range": float(np.ptp(hertz)),
        "articulation_rate": syllables / seconds,
        "mean_hnr": float(ratio.mean()),
    }


UNDEFINED = -200.0
"""The harmonicity of a silent frame in Praat, in dB."""


class Praat:
    """The feature encoder `praat`; an utterance without a pitch or a syllable is missing, as in the tables.

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
        """Compute the eight measurements by name.

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
            warnings.simplefilter("ignore")  # Praat warns if a sound has no silence
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
        """The number of syllables and the seconds of speech, by the method of syllable nuclei.

        N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
        Behavior Research Methods 41 (2009): a syllable is a voiced peak of intensity that is followed by a dip.
        """
        call = self._praat.praat.call
        intensity = sound.to_intensity(FLOOR)
        level, times = intensity.values[0], intensity.xs()
        highest = call(intensity, "Get maximum", 0, 0, "Parabolic")
        loud = call(intensity, "Get quantile", 0, 0, 0.99)
        lowest = call(intensity, "Get minimum", 0, 0, "Parabolic")
        threshold = max(loud - RANGE, lowest)
        # In Praat, silence is relative to the maximum; here it is relative to the loud frames, which a knock does not
        # change.
        silence = -RANGE - (highest - loud)
        grid = call(intensity, "To TextGrid (silences)", silence, PAUSE, BURST, "silent", "sounding")
        spoken = [interval for interval in _intervals(call, grid) if interval[2] == "sounding"]
        pitch = sound.to_pitch_ac(0.02, 30, 4, False, 0.03, 0.25, 0.01, 0.35, 0.25, 450)
        count = 0
        for peak in syllable_peaks(level, threshold):
            voiced = not math.isnan(pitch.get_value_at_time(times[peak]))
            count += voiced and any(start <= times[peak] <= end for start, end, _ in spoken)
        return count, sum(end - start for start, end, _ in spoken)


def _intervals(call: Any, grid: Any) -> list[tuple[float, float, str]]:  # noqa: ANN401 - parselmouth has no types
    """Start, end and label of the intervals of a TextGrid."""
    return [
        (
            call(grid, "Get start time of interval", 1, k),
            call(grid, "Get end time of interval", 1, k),
            call(grid, "Get label of interval", 1, k),
        )
        for k in range(1, call(grid, "Get number of intervals", 1) + 1)
    ]
