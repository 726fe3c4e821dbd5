"""Transcription of recordings with one method, in a separate process started by `benchmarks.recordings`.

    python -m benchmarks.recordings_run METHOD TRANSCRIBER THREADS OUTPUT.json FILE...

- `sdt`: this package.
- `senko`: an alternative: faster-whisper, and the diarizer of the package senko. Each word belongs to the nearest
  segment, and each segment is an utterance.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recordings_corpus import RATE, write_wav
from sdt.conversation import SpeakerTurn, Utterance, Word
from sdt.errors import InputError
from sdt.media.blocks import audio_blocks
from sdt.speech.given import Given
from sdt.speech.recording import RecordingTranscriber, SpeechOptions


class Clock:
    """Measures the wall and processor time of stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the time of a block."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = (time.perf_counter() - wall, time.process_time() - processor)


Method = Callable[[Path, Clock], tuple[Sequence[SpeakerTurn], Sequence[Utterance]]]
"""Transcribes a recording; returns speaker turns and utterances."""


def ours(transcriber: str, threads: int) -> Method:
    """The transcription of this package."""
    made = RecordingTranscriber(SpeechOptions(transcriber=transcriber, threads=threads))
    made.load()

    def run(path: Path, clock: Clock) -> tuple[Sequence[SpeakerTurn], Sequence[Utterance]]:
        with clock.stage("speakers"):
            turns = made.turns(path)
        with clock.stage("words"):
            try:
                [conversation] = made(path, Given(turns=turns)).conversations
            except InputError:  # no speech was recognised
                return turns, ()
        return turns, conversation.utterances

    return run


def senko(transcriber: str, threads: int) -> Method:
    """faster-whisper with voice activity detection, and the diarizer of senko, both with default options."""
    import senko as package  # type: ignore[import-not-found, unused-ignore]
    import torch

    from sdt.speech.whisper import Whisper

    torch.set_num_threads(threads)
    model: Any = Whisper(transcriber, threads=threads)._model
    diarizer = package.Diarizer(device="cpu", warmup=False, quiet=True)

    def run(path: Path, clock: Clock) -> tuple[Sequence[SpeakerTurn], Sequence[Utterance]]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            sound = np.concatenate([block.mono(RATE) for block in audio_blocks(path, 600.0)])
            write_wav(Path(file.name), sound)  # the only format that senko reads
            with clock.stage("speakers"):
                found = diarizer.diarize(file.name)
        segments = found["merged_segments"] if found else ()
        turns = [SpeakerTurn(one["speaker"], one["start"], one["end"]) for one in segments]
        with clock.stage("words"):
            heard, _ = model.transcribe(str(path), language="en", word_timestamps=True, vad_filter=True)
            words = [Word(one.word.strip(), one.start, one.end) for segment in heard for one in segment.words or ()]
        return turns, utterances_by_turn(words, turns)

    return run


def utterances_by_turn(words: Sequence[Word], turns: Sequence[SpeakerTurn]) -> list[Utterance]:
    """Create an utterance for each speaker turn with words."""
    groups: dict[int, list[Word]] = {}
    for word in words:
        groups.setdefault(_nearest(word, turns), []).append(word)
    return [
        Utterance(
            str(number),
            turns[number].speaker if turns else "unknown",
            " ".join(word.text for word in group),
            start=turns[number].start if turns else group[0].start,
            end=turns[number].end if turns else group[-1].end,
        )
        for number, group in sorted(groups.items())
    ]


def _nearest(word: Word, turns: Sequence[SpeakerTurn]) -> int:
    """The index of the turn that overlaps most with the word, or is nearest to it; 0 without turns."""

    def distance(number: int) -> tuple[float, float]:
        turn = turns[number]
        return max(turn.start - word.end, word.start - turn.end, 0.0), -turn.overlap(word.start, word.end)

    return min(range(len(turns)), key=distance, default=0)


METHODS: dict[str, Callable[[str, int], Method]] = {"sdt": ours, "senko": senko}


def main() -> None:
    """Transcribe all files, and write the results and the times."""
    method, transcriber, threads, output, *files = sys.argv[1:]
    load = Clock()
    with load.stage("load"):
        run = METHODS[method](transcriber, int(threads))
    recordings = {}
    for file in files:
        clock = Clock()
        turns, utterances = run(Path(file), clock)
        recordings[file] = {
            "turns": [asdict(turn) for turn in turns],
            "utterances": [
                {name: getattr(one, name) for name in ("id", "speaker", "text", "start", "end")} for one in utterances
            ],
            "seconds": clock.seconds,
        }
    Path(output).write_text(json.dumps({"load": load.seconds["load"], "recordings": recordings}), encoding="utf-8")


if __name__ == "__main__":
    main()
