"""`prosody`: about 180 named acoustic features of an utterance, computed with NumPy and SciPy only.

The features are statistics of energy, pitch, voice quality, spectrum, rhythm and pauses over contours that are measured
every 10 ms at 16 kHz. They are not trained, and only `level` depends on the gain. The selection follows the parameter
sets of the field, mainly Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set", IEEE Transactions on Affective
Computing 7 (2016); the implementation is independent of them.

In the names, `mean`, `std`, `p10` and `p90` are statistics over the relevant frames, `trend` is the rise of the
regression line over time from the first frame to the last, and `late` is the mean of the last third minus that of the
first third.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from sdt.encoders.audio_contours import BANDS, CEPSTRA, HOP, RATE, Array, Contours, Mask, measure_contours
from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.errors import InputError
from sdt.media.audio import Samples, decode_audio
from sdt.media.clip import Clip, MediaProblem

SHORTEST = 0.1
"""The shortest utterance in seconds."""
MIDDLE = 160.0
"""The reference pitch in Hz for semitones, between typical voices of men and of women."""
PAUSE = 15
"""The shortest pause in frames (150 ms)."""
MODULATIONS = {"1_3": (1, 3), "3_6": (3, 6), "6_10": (6, 10), "10_20": (10, 20)}
"""Bands of the spectrum of the energy contour in Hz: phrases, syllables, fast syllables, roughness."""


class Prosody:
    """The feature encoder `prosody`."""

    name = "prosody"
    modality = "audio"
    licence_note = None

    def __init__(self, name: str = "prosody") -> None:
        if name != self.name:
            raise InputError(f"feature encoder {name!r}: 'prosody' has no settings")

    @property
    def names(self) -> tuple[str, ...]:
        """[D] the names of the features."""
        return _names()

    @property
    def width(self) -> int:
        """D."""
        return len(_names())

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, self._describe, progress)

    def _describe(self, clip: Clip) -> Vector:
        return describe(decode_audio(clip).mono(RATE))


def describe(samples: Samples) -> Vector:
    """Compute the features [D] of a sound [n] at 16 kHz.

    Raises:
        MediaProblem: The sound is shorter than 0.1 s.
    """
    return np.array(list(features(samples).values()), dtype=np.float32)


def features(samples: Samples) -> dict[str, float]:
    """Compute the features of a sound [n] at 16 kHz by name; names and their order are always the same.

    Raises:
        MediaProblem: The sound is shorter than 0.1 s.
    """
    if len(samples) < SHORTEST * RATE:
        raise MediaProblem(f"shorter than {SHORTEST} s")
    contours = measure_contours(samples)
    speech = contours.active if contours.active.any() else np.ones_like(contours.active)
    voiced = contours.pitch.voiced & speech
    return {
        **_energy(contours, speech),
        **_pitch(contours, voiced),
        **_voice(contours, voiced),
        **_spectrum(contours, speech, voiced),
        **_rhythm(contours, speech, voiced),
    }


@cache
def _names() -> tuple[str, ...]:
    return tuple(features(np.zeros(round(SHORTEST * RATE), dtype=np.float32)))


def _energy(contours: Contours, speech: Mask) -> dict[str, float]:
    """Energy in dB.

    `level`: the level that 5 % of the frames exceed, in dB re full scale; `energy_*`: of the frames of speech, relative
    to `level`; `energy_rise`, `energy_fall`: mean slope of rising and of falling energy, dB per 10 ms;
    `energy_peak_at`: the relative time of the maximum, from 0 to 1; `energy_skew`: skewness, positive if few frames
    are much louder than the others.
    """
    energy = contours.energy[speech]
    steps = np.diff(uniform_filter1d(contours.energy, 5))[speech[1:]]
    return {
        "level": contours.level,
        **_summary("energy", energy),
        "energy_skew": _skew(energy),
        **_development("energy", energy),
        "energy_rise": _mean(steps[steps > 0]),
        "energy_fall": _mean(steps[steps < 0]),
        "energy_peak_at": float(uniform_filter1d(contours.energy, 9).argmax() / len(contours.energy)),
    }


def _pitch(contours: Contours, voiced: Mask) -> dict[str, float]:
    """Pitch of the voiced frames in semitones relative to 160 Hz; all 0 without voiced frames.

    `pitch_range`: from the 10 % to the 90 % quantile; `pitch_rise`, `pitch_fall`: mean slope of rising and of falling
    pitch within voiced segments, semitones per 10 ms; `pitch_moves`: mean of its absolute value; `pitch_bend`: height
    of the middle above the line from start to end (quadratic regression); `pitch_final`: mean of the last 150 ms of
    voiced frames minus the overall mean; `pitch_peak_at`: the relative time of the maximum, from 0 to 1.
    """
    semitones = 12 * np.log2(np.where(voiced, contours.pitch.hertz, MIDDLE) / MIDDLE)
    track = semitones[voiced]
    steps = np.diff(semitones)[voiced[1:] & voiced[:-1]]
    steps = steps[np.abs(steps) < 3]  # larger steps are errors of the pitch tracker
    quantiles = np.percentile(track, [10, 90]) if track.size else np.zeros(2)
    return {
        **_summary("pitch", track),
        "pitch_range": float(quantiles[1] - quantiles[0]),
        "pitch_skew": _skew(track),
        **_development("pitch", track),
        "pitch_rise": _mean(steps[steps > 0]),
        "pitch_fall": _mean(steps[steps < 0]),
        "pitch_moves": _mean(np.abs(steps)),
        "pitch_bend": _bend(track),
        "pitch_final": _mean(track[-15:]) - _mean(track),
        "pitch_peak_at": float(np.flatnonzero(voiced)[track.argmax()] / len(voiced)) if track.size else 0.0,
    }


def _voice(contours: Contours, voiced: Mask) -> dict[str, float]:
    """Voice quality.

    `hnr`: harmonics-to-noise ratio in dB, 10 log10(r / (1 - r)) of the periodicity r; `jitter`: mean absolute second
    difference of the pitch between frames, relative to the pitch; `shimmer`: the same for the energy, in dB;
    `prominence`: cepstral peak prominence in dB, `unvoiced_prominence` for the other frames of speech; `tilt`: first
    minus second harmonic in dB, high in breathy and low in pressed voices.
    """
    hertz, r = contours.pitch.hertz, np.clip(contours.pitch.periodicity, 1e-3, 1 - 1e-4)
    three = voiced[2:] & voiced[1:-1] & voiced[:-2]
    middle = np.where(voiced, hertz, 1.0)[1:-1]
    shake = (np.abs(hertz[2:] - 2 * hertz[1:-1] + hertz[:-2]) / middle)[three]
    flicker = np.abs(np.diff(contours.energy, 2))[three]
    return {
        **_summary("hnr", (10 * np.log10(r / (1 - r)))[voiced]),
        "jitter": _mean(np.minimum(shake, 0.2)),
        "shimmer": _mean(flicker),
        **_summary("prominence", contours.pitch.prominence[voiced]),
        "unvoiced_prominence_mean": _mean(contours.pitch.prominence[contours.active & ~voiced]),
        **_summary("tilt", contours.pitch.tilt[voiced]),
    }


def _spectrum(contours: Contours, speech: Mask, voiced: Mask) -> dict[str, float]:
    """The spectrum of speech.

    `band01` to `band26`: mel bands in dB, relative to `level`; `cepstrum01` to `cepstrum12`: standard deviation, mean
    absolute change per 10 ms and trend (the means of the bands already contain their means); `centroid`, `spread`,
    `rolloff85` in kHz; `flux`: distance of consecutive normalised spectra; `flatness` in dB, 0 for white noise;
    `alpha_ratio`: 50-1000 Hz over 1-5 kHz, dB; `hammarberg`: highest peak below 2 kHz over that in 2-5 kHz, dB;
    `slope_low`, `slope_high`: of 60-500 and 500-1500 Hz, dB per kHz; `voiced_*`: over the voiced frames only.
    """
    found: dict[str, float] = {}
    means, deviations = contours.bands[speech].mean(axis=0), contours.bands[speech].std(axis=0)
    for band in range(BANDS):
        found[f"band{band + 1:02}_mean"] = float(means[band])
        found[f"band{band + 1:02}_std"] = float(deviations[band])
    changes = np.abs(np.diff(contours.cepstra, axis=0, prepend=contours.cepstra[:1]))[speech]
    for number in range(CEPSTRA):
        track = contours.cepstra[speech, number]
        found[f"cepstrum{number + 1:02}_std"] = float(track.std())
        found[f"cepstrum{number + 1:02}_change"] = float(changes[:, number].mean())
        found[f"cepstrum{number + 1:02}_trend"] = _trend(track)
    for name, track in contours.descriptors.items():
        found[f"{name}_mean"], found[f"{name}_std"] = float(track[speech].mean()), float(track[speech].std())
        found[f"voiced_{name}_mean"] = _mean(track[voiced])
    found["centroid_trend"] = _trend(contours.descriptors["centroid"][speech])
    return found


def _rhythm(contours: Contours, speech: Mask, voiced: Mask) -> dict[str, float]:
    """Rhythm and pauses.

    `duration`: logarithm of the seconds; `speech_share`, `voiced_share`: fractions of the frames; `voice_length`: mean
    and maximum length of voiced segments in seconds; `syllable_rate`: voiced peaks of the smoothed energy with a
    prominence of at least 2 dB, per second from the first frame of speech to the last; `articulation_rate`: the same
    per second of speech; `syllable_gap_std`: standard deviation of the time between them; `syllable_depth`: their mean
    prominence in dB; `pause_*`: silences of at least 150 ms within the utterance; `modulation_*`: fraction of the
    variation of the energy contour in a frequency band.
    """
    span = np.flatnonzero(speech)[[0, -1]] + [0, 1]
    seconds = float(span[1] - span[0]) * HOP / RATE
    pauses = np.array([length for length in _runs(~speech[span[0] : span[1]]) if length >= PAUSE]) * HOP / RATE
    voices = np.array(_runs(voiced)) * HOP / RATE
    smooth = uniform_filter1d(contours.energy, 7)
    peaks, found = find_peaks(smooth, prominence=2.0, distance=8)
    kept = voiced[peaks] & (smooth[peaks] > -20)
    peaks, depths = peaks[kept], found["prominences"][kept]
    return {
        "duration": float(np.log(contours.seconds)),
        "speech_share": float(contours.active.mean()),
        "voiced_share": float(voiced.mean()),
        "voice_length_mean": _mean(voices),
        "voice_length_max": float(voices.max(initial=0.0)),
        "voice_rate": len(voices) / seconds,
        "syllable_rate": len(peaks) / seconds,
        "articulation_rate": len(peaks) / (float(speech.sum()) * HOP / RATE),
        "syllable_gap_std": float(np.diff(peaks).std() * HOP / RATE) if len(peaks) > 2 else 0.0,
        "syllable_depth": _mean(depths),
        "pause_rate": len(pauses) / seconds,
        "pause_share": float(pauses.sum()) / seconds,
        "pause_mean": _mean(pauses),
        "pause_max": float(pauses.max(initial=0.0)),
        **_modulation(contours.energy),
    }


def _modulation(energy: Array) -> dict[str, float]:
    floored = np.maximum(energy, -40.0)
    power = np.abs(fft.rfft(floored - floored.mean(), max(len(energy), 200))) ** 2
    hertz = np.fft.rfftfreq(max(len(energy), 200), HOP / RATE)
    total = power[(hertz >= 1) & (hertz < 20)].sum() + 1e-9
    return {
        f"modulation_{name}": float(power[(hertz >= low) & (hertz < high)].sum() / total)
        for name, (low, high) in MODULATIONS.items()
    }


def _summary(name: str, values: Array) -> dict[str, float]:
    p10, p90 = np.percentile(values, [10, 90]) if values.size else (0.0, 0.0)
    return {
        f"{name}_mean": _mean(values),
        f"{name}_std": float(values.std()) if values.size else 0.0,
        f"{name}_p10": float(p10),
        f"{name}_p90": float(p90),
    }


def _development(name: str, values: Array) -> dict[str, float]:
    third = len(values) // 3
    late = _mean(values[-third:]) - _mean(values[:third]) if third else 0.0
    return {f"{name}_trend": _trend(values), f"{name}_late": late}


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else 0.0


def _skew(values: Array) -> float:
    deviation = values - _mean(values)
    return float(_mean(deviation**3) / (_mean(deviation**2) ** 1.5 + 1e-3))


def _trend(values: Array) -> float:
    if len(values) < 3:
        return 0.0
    x = np.linspace(-0.5, 0.5, len(values))
    return float(x @ values / (x @ x))


def _bend(values: Array) -> float:
    if len(values) < 5:
        return 0.0
    x = np.linspace(-1, 1, len(values))
    arch = x**2 - (x**2).mean()
    return float(-(arch @ values) / (arch @ arch))


def _runs(mask: Mask) -> list[int]:
    """The lengths of the runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    lengths: npt.NDArray[np.int64] = edges[1::2] - edges[::2]
    return [int(length) for length in lengths]
