"""What many requests leave behind: nothing. The long variants run with SDT_LONG_TESTS=1."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import threading
import time
from pathlib import Path

import pytest

from benchmarks.streams import conversations, load
from tests.encoders.clips import noise, write_clip
from tests.serving.conftest import SRT
from tests.serving.inside import Inside, heard, run, say
from tests.serving.running import TERMINATED, Running, running

long = pytest.mark.skipif(
    not os.environ.get("SDT_LONG_TESTS"), reason="takes many minutes; run it with SDT_LONG_TESTS=1"
)
GROWTH = 16 * 2**20
"""Bytes that a service may have grown by after it has seen everything once: the allocator's, not ours."""


def mixed(service: Running, turn: int, sound: bytes) -> int:
    """A request of one kind or another; the status."""
    kind = turn % 10
    if kind == 0:
        return service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", "x.wav", sound)).status
    if kind == 1:
        return service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", "x.wav", sound[: turn % 900])).status
    if kind == 2:
        return service.post(b'{"utterances": [{"text": "' + b"x" * (turn % 5000)).status
    if kind == 3:
        chats = [{"id": str(k), "utterances": [{"text": "Hello!"}] * 5} for k in range(4)]
        return service.post({"conversations": chats}, "/v1/predict/batch").status
    return service.post({"utterances": [{"text": f"This is number {turn}."}] * (turn % 20 + 1)}).status


def open_files(service: Running) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def stays_flat(service: Running, requests: int, sound: bytes) -> None:
    warm = max(100, requests // 10)
    for turn in range(warm):
        mixed(service, turn, sound)
    before, files = service.rss(), open_files(service)
    seen = {mixed(service, turn, sound) for turn in range(requests)}
    assert seen == {200, 400}
    assert service.rss() - before < GROWTH
    assert open_files(service) <= files + 2
    assert service.left() == []


@pytest.mark.slow
def test_memory_is_flat(home: Path, tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "x.wav", noise(2.5)).read_bytes()
    with running(home / "model", tmp_path / "t", "--decoders", "1") as service:
        stays_flat(service, 150, sound)


@long
def test_memory_is_flat_over_10000_requests(home: Path, tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "x.wav", noise(2.5)).read_bytes()
    with running(home / "model", tmp_path / "t") as service:
        stays_flat(service, 10_000, sound)


@pytest.mark.slow
def test_memory_is_flat_over_streams() -> None:
    """Conversations that come, are left and are forgotten; in this process, where nothing else grows."""
    stays_flat_over_streams(6, 40)


@long
def test_memory_is_flat_over_10000_utterances() -> None:
    stays_flat_over_streams(13, 100)


def stays_flat_over_streams(rounds: int, length: int) -> None:
    async def use(service: Inside) -> None:
        def resident() -> int:
            return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

        async def talk(name: str) -> None:
            async with service.connect(name) as line:
                await heard(line)
                for number in range(length):
                    answer = await say(line, f"{name} says {number}: " + "x" * 1000, speaker="AB"[number % 2])
                    assert answer["seq"] == number

        before = 0
        for turn in range(2 * rounds):
            await asyncio.gather(*(talk(f"talk-{turn}-{k}") for k in range(4)))
            if turn == rounds - 1:
                before = resident()
        assert resident() - before < GROWTH
        assert len(service.service.sessions) <= 8

    run(use, seconds=900, streams=8)


@long
def test_100_streams_for_a_minute(tmp_path: Path) -> None:
    """With the bundled model: none is lost, and their order holds."""
    with running("english-text-audio-small", tmp_path / "t") as service:
        seen = asyncio.run(load(service.port, conversations(50), 100, 60.0))
        assert "Traceback" not in service.log()
        assert service.stop() == TERMINATED
    assert seen.lost == 0
    assert seen.utterances >= 100
    assert statistics.median(seen.waited) < 30


@long
def test_200_clients_for_a_minute(tmp_path: Path) -> None:
    """With the bundled model: none is lost."""
    clients, seconds = 200, 60.0
    waited: list[float] = []
    lost: list[object] = []
    with running("english-text-audio-small", tmp_path / "t") as service:
        until = time.monotonic() + seconds

        def ask(number: int) -> None:
            generator = random.Random(number)
            while time.monotonic() < until:
                n = generator.randrange(1, 12)
                chat = {"utterances": [{"speaker": "AB"[k % 2], "text": f"I said {k}!"} for k in range(n)]}
                begun = time.monotonic()
                try:
                    answer = service.post(json.dumps(chat).encode())
                    if answer.status != 200 or len(answer.json["predictions"]) != n:
                        lost.append(answer)
                except OSError as error:
                    lost.append(error)
                waited.append(time.monotonic() - begun)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert lost == []
    assert len(waited) >= clients
    assert statistics.median(waited) < 30
