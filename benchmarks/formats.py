"""Time to read and write a conversation of three hours in every format, and to add predictions to annotation.

    python -m benchmarks.formats

The conversation has 5,400 utterances of 2 seconds by four speakers, with labels, 32,400 words with times (in formats
that have words), and a tier of 2,000 gestures. Each figure is the median CPU
time of `--runs` in one process; the work uses one thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from sdt.conversation import Conversation, Prediction, Span, Tier, Utterance, Word
from sdt.formats import Transcript, read_transcript, write_transcript
from sdt.formats.table import BUILTIN

HOURS, SECONDS = 3, 2.0
SPEAKERS = ("Ann", "Ben", "Cleo", "Dan")
WORDS = ("i", "got", "the", "job", "and", "they", "want", "me", "on", "monday", "what", "do", "you", "think")
LABELS = ("neutral", "joy", "anger", "sadness")


def long_talk(seed: int) -> Transcript:
    """The conversation with a prediction for each utterance."""
    random = Random(seed)
    utterances = []
    for number in range(int(HOURS * 3600 / SECONDS)):
        start = number * SECONDS
        said = random.choices(WORDS, k=6)
        words = tuple(
            Word(word, round(start + 0.3 * place, 3), round(start + 0.3 * place + 0.25, 3))
            for place, word in enumerate(said)
        )
        speaker, label = random.choice(SPEAKERS), random.choice(LABELS)
        text = " ".join(said)
        utterances.append(Utterance(str(number), speaker, text, label, start, start + 1.9, words=words))
    gestures = tuple(Span("waves", 5.0 * number, 5.0 * number + 1) for number in range(2000))
    talk = Conversation("talk", tuple(utterances), (Tier("gestures", gestures),), "talk.wav")
    shares = {"joy": 0.75, "anger": 0.25}
    return Transcript([talk], predictions=[Prediction("talk", one.id, "joy", shares) for one in utterances])


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """The median CPU time of a call, which other work on the machine does not change much."""
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    talk = long_talk(options.seed)
    print("| format | file | read | write | add predictions |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for format in BUILTIN:
            if not (format.readable and format.writable):
                continue
            path = Path(folder) / (f"talk{format.suffix}" if format.suffix else format.name)
            written = median_seconds(lambda: write_transcript(path, talk, format.name), options.runs)  # noqa: B023
            read = median_seconds(lambda: read_transcript(path), options.runs)  # noqa: B023
            added = "–"
            if update := format.update:
                content = path.read_bytes()
                added = f"{median_seconds(lambda: update(content, talk, None), options.runs):.2f} s"  # noqa: B023
            files = path.iterdir() if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files) / 2**20
            print(f"| {format.title} | {size:.1f} MiB | {read:.2f} s | {written:.2f} s | {added} |", flush=True)


if __name__ == "__main__":
    main()
