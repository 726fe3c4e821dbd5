"""Speed of feature encoders on given files: seconds of recording per second of processor time, including decoding.

Processor time is hardly affected by other load on the machine.

    python benchmarks/encoders.py talk.mp4 --encoder faces --encoder prosody
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from sdt.conversation import Utterance
from sdt.encoders.encoder import Source, feature_encoder
from sdt.errors import InputError
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.media.video import decode_frames


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--encoder", action="append", required=True, dest="encoders", metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, of which the fastest counts; default: 5")
    options = parser.parse_args()
    for name in options.encoders:
        encoder = feature_encoder(name)
        sources = [Source("files", Utterance(file.name, ""), Clip(file)) for file in options.files]
        length = sum(_seconds(file, encoder.modality) for file in options.files)
        encoder.encode(sources[:1])  # loads models
        taken = []
        for _ in range(options.repeats):
            start = time.process_time()
            encoded = encoder.encode(sources)
            taken.append(time.process_time() - start)
        print(f"{name}: {length / min(taken):.1f} ({length:.1f} s in {min(taken):.2f} s)")
        for problem in encoded.problems:
            print(f"  {problem}")


def _seconds(file: Path, modality: str) -> float:
    """The duration of a recording in seconds."""
    try:
        if modality == "audio":
            return decode_audio(Clip(file)).seconds
        return max(moment for moment, _ in decode_frames(Clip(file), 25))
    except MediaProblem as problem:
        raise InputError(f"{file}: {problem.reason}") from None


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"encoders.py: {error}")
