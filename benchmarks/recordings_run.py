"""One way to transcribe recordings, in a process of its own; started by `benchmarks.recordings`.

    python -m benchmarks.recordings_run WAY TRANSCRIBER THREADS OUTPUT.json FILE...

- `sdt`: this package.
- `senko`: what else one would combine: faster-whisper, and the diarizer of the package senko. Each word belongs to the
  nearest segment, and each segment is an utterance.
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
    """Wall and processor seconds of the stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = (time.perf_counter() - wall, time.process_time() - processor)


Way = Callable[[Path, Clock], tuple[Sequence[SpeakerTurn], Sequence[Utterance]]]
"""Transcribes a recording: who speaks when, and the utterances."""


def ours(transcriber: str, threads: int) -> Way:
    """This package."""
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


def senko(transcriber: str, threads: int) -> Way:
    """faster-whisper with speech regions, and senko's diarizer, both with their default options."""
    import senko as package  # type: ignore[import-not-found, unused-ignore]
    import torch

    from sdt.speech.whisper import Whisper

    torch.set_num_threads(threads)
    model: Any = Whisper(transcriber, threads=threads)._model
    diarizer = package.Diarizer(device="cpu", warmup=False, quiet=True)

    def run(path: Path, clock: Clock) -> tuple[Sequence[SpeakerTurn], Sequence[Utterance]]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            sound = np.concatenate([block.mono(RATE) for block in audio_blocks(path, 600.0)])
            write_wav(Path(file.name), sound)  # it reads nothing else
            with clock.stage("speakers"):
                found = diarizer.diarize(file.name)
        segments = found["merged_segments"] if found else ()
        turns = [SpeakerTurn(one["speaker"], one["start"], one["end"]) for one in segments]
        with clock.stage("words"):
            heard, _ = model.transcribe(str(path), language="en", word_timestamps=True, vad_filter=True)
            words = [Word(one.word.strip(), one.start, one.end) for segment in heard for one in segment.words or ()]
        return turns, by_segment(words, turns)

    return run


def by_segment(words: Sequence[Word], turns: Sequence[SpeakerTurn]) -> list[Utterance]:
    """An utterance for each turn that has words."""
    groups: dict[int, list[Word]] = {}
    for word in words:
        groups.setdefault(_nearest(word, turns), []).append(word)
    return [
        Utterance(
            str(number),
            turns[number].speaker if turns else "nobody",
            " ".join(word.text for word in group),
            start=turns[number].start if turns else group[0].start,
            end=turns[number].end if turns else group[-1].end,
        )
        for number, group in sorted(groups.items())
    ]


def _nearest(word: Word, turns: Sequence[SpeakerTurn]) -> int:
    """The number of the turn that has most of the word, or is nearest to it; 0 without turns."""

    def distance(number: int) -> tuple[float, float]:
        turn = turns[number]
        return max(turn.start - word.end, word.start - turn.end, 0.0), -turn.overlap(word.start, word.end)

    return min(range(len(turns)), key=distance, default=0)


WAYS: dict[str, Callable[[str, int], Way]] = {"sdt": ours, "senko": senko}


def main() -> None:
    """Transcribe all files, and write what was found and how long it took."""
    way, transcriber, threads, output, *files = sys.argv[1:]
    load = Clock()
    with load.stage("load"):
        run = WAYS[way](transcriber, int(threads))
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
