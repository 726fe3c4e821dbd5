"""Seconds to read a transcript of three hours with words: python -m benchmarks.speech_services."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from sdt.formats import read_transcript

HOURS = 3
WORDS = HOURS * 3600 * 3
"""Three words a second, twelve a sentence."""


def main() -> None:
    """Print the fastest of five readings of each file."""
    words = [
        {
            "word": f"w{n}{'.' * (n % 12 == 11)}",
            "start": n / 3,
            "end": n / 3 + 0.3,
            "confidence": 0.9,
            "speaker": n // 12 % 2,
        }
        for n in range(WORDS)
    ]
    sentences = [words[n : n + 12] for n in range(0, WORDS, 12)]
    segments = [
        {"start": of[0]["start"], "end": of[-1]["end"], "text": " ".join(str(one["word"]) for one in of), "words": of}
        for of in sentences
    ]
    values = {
        "deepgram": {"results": {"channels": [{"alternatives": [{"words": words}]}]}},
        "whisper": {"segments": segments},
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, value in values.items():
            path = Path(folder) / f"{name}.json"
            path.write_text(json.dumps(value), encoding="utf-8")
            seconds = []
            for _ in range(5):
                begin = time.perf_counter()
                transcript = read_transcript(path)
                seconds.append(time.perf_counter() - begin)
            size = len(transcript.conversations[0])
            print(f"{name}: {size:,} utterances, {WORDS:,} words, {min(seconds):.2f} s")


if __name__ == "__main__":
    main()
