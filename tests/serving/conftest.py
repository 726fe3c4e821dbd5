from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.encoders.clips import noise, write_clip
from tests.prediction.models import TEXT_AUDIO, tiny_model
from tests.serving.running import Running, running

SRT = (
    "1\n00:00:00,000 --> 00:00:00,700\nANN: Hello there, you!\n\n"
    "2\n00:00:00,700 --> 00:00:01,500\nBOB: Not now.\n\n"
    "3\n00:00:01,500 --> 00:00:02,400\nANN: Then when?\n"
)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of words and sound, a transcript with times, and its recording."""
    folder = tmp_path_factory.mktemp("serving")
    tiny_model(TEXT_AUDIO).save_pretrained(folder / "model")
    (folder / "talk.srt").write_text(SRT, encoding="utf-8")
    write_clip(folder / "talk.wav", noise(2.5))
    return folder


@pytest.fixture(scope="session")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests that leave it as it was, started as users start it."""
    options = ("--decoders", "1", "--json-bytes", "200000", "--body-bytes", "3000000", "--utterances", "50")
    limits = ("--characters", "300", "--conversations", "5", "--files", "4", "--media-seconds", "20")
    with running(home / "model", tmp_path_factory.mktemp("temporary"), *options, *limits, forked=False) as started:
        yield started
        assert started.process.poll() is None, started.log()
        assert "Traceback" not in started.log()
        assert "500" not in [line.split()[3] for line in started.errors if "POST" in line]
