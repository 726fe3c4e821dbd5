"""`voice8`: eight measurements of the voice, those of the tables that go round for MELD, by NumPy and SciPy alone.

Duration, intensity and its variation, pitch (mean, deviation, range), articulation rate and harmonics-to-noise ratio,
from their published definitions (Boersma 1993; de Jong and Wempe 2009; Praat's manual), with Praat's standard settings.
They come as near to the tables as Praat itself does (see docs/audio.md), but nothing here is under its licence.

Mean intensity depends on how a clip was mixed down: the tables lie 7.1 dB (within 0.2) below the mean of the channels
of seven known clips, and by other amounts elsewhere. Normalised within the conversation it carries over, raw it does
not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.encoders.audio_measures import centres, frame_times, harmonicity, intensity
from sdt.encoders.audio_pitch import Search, track_pitch
from sdt.encoders.audio_syllables import count_syllables
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.errors import InputError
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
"""Seconds; dB (mean of the energy) and its standard deviation over time; Hz of the voiced frames: mean, standard
deviation, highest less lowest; syllables per second of speech; harmonics-to-noise ratio in dB."""
RATE = 16000
"""Samples per second, as in the files that the tables were made from: one of their durations is 32159 / 16000 s."""
GRID = 160
"""Samples to whose multiple a sound is filled up with silence. Frames lie symmetrically in the sound; the tables'
durations are whole hundredths of a second, so that this puts the frames of 10 ms where they lay there."""
SHORTEST = 0.15
"""Seconds; an intensity contour for pitches from 50 Hz on needs 0.128."""
PITCH = Search(floor=75, ceiling=500, candidates=14, reference=500, middle=True)
"""What pitch is looked for, every hundredth of a second."""
INTENSITY_FLOOR = 100.0
"""Hz; the lowest pitch that the intensity contour smooths away."""
HARMONICITY_FLOOR = 75.0
"""Hz."""


class Voice8:
    """The feature encoder `voice8`.

    An utterance in which no pitch or no syllable is found is missing, as in the tables.
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
    """The eight measurements by name.

    Raises:
        MediaProblem: The sound is too short, or it has no voice or no syllable.
    """
    if audio.seconds < SHORTEST:
        raise MediaProblem(f"shorter than {SHORTEST} s")
    samples = audio.mono(RATE).astype(np.float64)
    samples = np.pad(samples, (0, -len(samples) % GRID))
    samples -= samples.mean()
    frames = frame_times(len(samples), RATE, 3 / PITCH.floor, 0.01)
    hertz = track_pitch(samples, RATE, centres(frames, RATE), PITCH).hertz
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
