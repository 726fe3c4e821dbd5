"""The encoder of Whisper on the sound of utterances alone and on the same sound padded to 30 seconds.

Prints CPU time of both, and the cosine of the two features: as they are, and after subtraction of the mean over the
files, which is what differs between utterances.

    python -m benchmarks.whisper_padding dia1_utt*.wav
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.encoders.audio_whisper import RATE, Whisper
from sdt.errors import InputError
from sdt.media.audio import Samples, decode_audio
from sdt.media.clip import Clip, MediaProblem

PADDED = 30 * RATE
"""Samples of the input of the published program."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--encoder", default="whisper:tiny.en")
    parser.add_argument("--repeats", type=int, default=5, help="the fastest counts; default: 5")
    options = parser.parse_args()
    encoder = Whisper(options.encoder)
    features: list[list[npt.NDArray[np.float32]]] = []
    for file in options.files:
        try:
            samples = decode_audio(Clip(file)).mono(RATE)[:PADDED]
        except MediaProblem as problem:
            raise InputError(f"{file}: {problem.reason}") from None
        alone, fast = _run(encoder, samples, options.repeats)
        padded, slow = _run(encoder, np.pad(samples, (0, PADDED - len(samples))), options.repeats)
        features.append([alone.mean(axis=0), padded[: len(alone)].mean(axis=0)])
        print(
            f"{file.name}: {len(samples) / RATE:.1f} s; alone {1000 * fast:.0f} ms, padded {1000 * slow:.0f} ms; "
            f"cosine {_cosine(*features[-1]):.3f}"
        )
    centred = np.array(features) - np.mean(features, axis=0)  # [files, 2, D]
    cosines = [_cosine(*pair) for pair in centred] if len(features) > 1 else []
    print(f"cosine after subtraction of the mean: {', '.join(f'{cosine:.3f}' for cosine in cosines) or 'one file'}")


def _run(encoder: Whisper, samples: Samples, repeats: int) -> tuple[npt.NDArray[np.float32], float]:
    """The frames [T, D], and the CPU time in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        frames = encoder.hidden(samples)
        times.append(time.process_time() - start)
    return frames, min(times)


def _cosine(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"whisper_padding.py: {error}")
