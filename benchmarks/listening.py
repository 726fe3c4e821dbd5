"""How long after the end of an utterance a service that listens live answers it.

    python -m benchmarks.listening RECORDING

starts a service, plays the recording to `/v1/listen` in real time, and prints for each utterance the seconds from its
last word to its prediction. A talk is cut at pauses of 0.16 to 0.5 s; the second number is the time after the cut.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import connect

from sdt.media.blocks import audio_blocks
from sdt.models.hub import DEFAULT
from sdt.speech.transcriber import RATE
from tests.serving.running import running

BLOCK = 2048
"""Samples of a message: what the page sends."""


@dataclass(frozen=True)
class Answered:
    """An utterance and when it was answered."""

    text: str
    end: float
    """Seconds from the start of the recording."""
    latency: float
    """Seconds from the end of the utterance to its prediction."""
    since_pause: float
    """Seconds from the moment at which the service has cut it to its prediction."""


async def play(port: int, samples: npt.NDArray[np.float32], *, language: str = "en") -> list[Answered]:
    """Play sound in real time.

    Args:
        port: Of the service.
        samples: [n] at 16 kHz, in [-1, 1].
        language: ISO 639-1.
    """
    found: list[Answered] = []
    sound = (samples * 32767).astype("<i2")
    async with connect(f"ws://127.0.0.1:{port}/v1/listen?language={language}", proxy=None) as line:
        assert json.loads(await line.recv())["type"] == "ready"
        begun = time.monotonic()

        async def send() -> None:
            for place in range(0, len(sound), BLOCK):
                await asyncio.sleep(max(0.0, begun + (place + BLOCK) / RATE - time.monotonic()))
                await line.send(sound[place : place + BLOCK].tobytes())
            await line.send(json.dumps({"type": "end"}))

        sender = asyncio.create_task(send())
        cut = 0.0
        while (message := json.loads(await line.recv()))["type"] != "ended":
            now = time.monotonic()
            if message["type"] == "speech" and message["end"] is not None:
                cut = now
            elif message["type"] == "prediction":
                said: dict[str, Any] = message["prediction"]
                found.append(Answered(said["text"], said["end"], now - begun - said["end"], now - cut))
        await sender
    return found


def sound_of(path: Path) -> npt.NDArray[np.float32]:
    """The sound of a recording: [n] at 16 kHz."""
    return np.concatenate([block.mono(RATE) for block in audio_blocks(path, 60.0)])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--transcriber", default="tiny.en")
    options = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        running(DEFAULT, Path(folder), "--decoders", "1", transcriber=options.transcriber) as service,
    ):
        found = asyncio.run(play(service.port, sound_of(options.recording)))
    for one in found:
        print(f"{one.end:7.2f} s  {one.latency:5.2f} s ({one.since_pause:.2f} s after the cut)  {one.text}")
    latencies = np.array([one.latency for one in found])
    if len(latencies):
        print(f"{len(found)} utterances: median {np.median(latencies):.2f} s, at most {latencies.max():.2f} s")


if __name__ == "__main__":
    main()
