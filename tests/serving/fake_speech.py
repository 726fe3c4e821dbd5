"""A speech recogniser for tests: what it hears depends on the loudness and the length of the sound alone.

`fake:normal` says a word every 0.4 s, in sentences of four words, of two speakers in turn. It is installed as a package
with an entry point, since the processes of a service look it up by its name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdt.conversation import SpeakerTurn, Word
from sdt.media.clip import container_seconds
from sdt.speech import recording
from sdt.speech.engines import Engine
from sdt.speech.transcriber import RATE, Recognised, Samples

STEP = 0.4
"""Seconds of a word; the last 0.1 s are silent."""
VOCABULARY = ("well", "I", "never", "did.")
DIES, WAITS = 3.7, 4.7
"""Recordings of so many seconds end the process, or take a minute."""


class Fake:
    """The recogniser."""

    def __init__(self, weights: str) -> None:
        self.name = self.key = f"fake {weights}"
        self.languages: Sequence[str] = ("en", "de")

    def words(self, samples: Samples, language: str | None, *, quick: bool = False) -> Recognised:  # noqa: ARG002 - the protocol
        seconds = len(samples) / RATE
        if abs(seconds - DIES) < 0.02:
            os._exit(3)
        if abs(seconds - WAITS) < 0.02:
            time.sleep(60)
        words = [
            Word(VOCABULARY[k % 4], round(k * STEP, 3), round(k * STEP + 0.3, 3), 0.2 if k % 4 == 2 else 0.9)
            for k in range(int(seconds / STEP))
        ]
        return Recognised(words, language or "en")


def load(weights: str, threads: int, download: bool) -> Fake:
    """Load it; from then on this process finds two speakers, who take turns each 1.6 s, in every recording."""
    turns = [SpeakerTurn(f"SPEAKER_{k % 2:02}", 1.6 * k, 1.6 * k + 1.55) for k in range(10_000)]

    def no_windows(self: Any, path: Path, tell: Any) -> list[Any]:
        tell("speakers", container_seconds(path))
        return []

    setattr(recording.RecordingTranscriber, "_windows", no_windows)  # noqa: B010 - it is replaced for this process
    setattr(recording, "diarize", lambda *_: turns)  # noqa: B010
    return Fake(weights)


ENTRY = Engine(load)


def install(site: Path) -> str:
    """Install it into a folder; returns the PYTHONPATH with which a service finds it."""
    info = site / "fake_speech-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-speech\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sdt.transcribers]\nfake = tests.serving.fake_speech:ENTRY\n")
    return os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
