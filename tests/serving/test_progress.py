"""How far a request is, asked while it runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sdt.serving.monitoring import ProgressRegistry
from tests.encoders.clips import noise, write_clip
from tests.serving.running import Running

pytestmark = pytest.mark.xdist_group("serving")
ID = "0123456789abcdef-_XY"
COUNT = 12
"""Utterances; each is all of the recording, so that it takes long."""
UNKNOWN = {"stage": "unknown", "modality": None, "done": 0, "total": 0, "seconds": 0.0}


def test_a_long_recording(service: Running, tmp_path: Path) -> None:
    write_clip(tmp_path / "long.wav", noise(19))
    cues = "\n".join(f"{k}\n00:00:00,000 --> 00:00:19,000\nANN: {k}\n" for k in range(COUNT))
    recording = (tmp_path / "long.wav").read_bytes()
    heard: list[dict[str, Any]] = []
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            heard.append(service.ask("GET", f"/v1/progress/{ID}").json)
            time.sleep(0.01)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        parts = ("transcript", "long.srt", cues.encode()), ("media", "long.wav", recording)
        answer = service.post_parts(*parts, **{"x-progress-id": ID})
    finally:
        done.set()
        listener.join()
    assert answer.status == 200
    assert len(answer.json["predictions"]) == COUNT
    decoding = [said for said in heard if said["stage"] == "decoding"]
    counts = [said["done"] for said in decoding]
    assert counts == sorted(counts)
    assert any(0 < count < COUNT for count in counts)
    assert {(said["modality"], said["total"]) for said in decoding} == {("audio", COUNT)}
    stages = [said["stage"] for said in heard if said["stage"] != "unknown"]
    order = ["receiving", "waiting", "decoding", "predicting"]
    assert stages == sorted(stages, key=order.index)
    assert service.ask("GET", f"/v1/progress/{ID}").json == UNKNOWN  # nothing is kept


def test_an_id_that_could_be_guessed_is_not_remembered() -> None:
    registry = ProgressRegistry()
    for id in (None, "", "short", "a" * 65, "with blanks and more", "0123456789abcde\n"):
        with registry.track(id):
            assert registry.get(id or "")["stage"] == "unknown"


def test_of_two_requests_with_one_id_the_later_is_found_until_it_ends() -> None:
    registry = ProgressRegistry()
    with registry.track(ID) as first:
        first.decoding("audio", 1, 2)
        with registry.track(ID) as second:
            second.waiting()
            assert registry.get(ID)["stage"] == "waiting"
        assert registry.get(ID)["stage"] == "unknown"
        assert first.to_dict()["done"] == 1
