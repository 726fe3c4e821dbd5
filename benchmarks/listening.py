"""Latency of live speech: the time from the end of an utterance to its prediction.

    python -m benchmarks.listening RECORDING

starts a service, sends the recording to `/v1/listen` in real time, and prints for each utterance the seconds from its
last word to its prediction. Speech is cut at pauses of 0.25 to 0.5 s; the second number is the time after the cut.
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
"""Samples per message, as the page sends them."""


@dataclass(frozen=True)
class AnsweredUtterance:
    """An utterance and the latency of its prediction."""

    text: str
    end: float
    """Seconds from the start of the recording."""
    latency: float
    """Seconds from the end of the utterance to its prediction."""
    since_pause: float
    """Seconds from the detection of the pause to the prediction."""


async def play(port: int, samples: npt.NDArray[np.float32], *, language: str = "en") -> list[AnsweredUtterance]:
    """Send sound in real time.

    Args:
        port: Port of the service.
        samples: [n] at 16 kHz, in [-1, 1].
        language: ISO 639-1 code.
    """
    found: list[AnsweredUtterance] = []
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
                prediction: dict[str, Any] = message["prediction"]
                found.append(
                    AnsweredUtterance(prediction["text"], end := prediction["end"], now - begun - end, now - cut)
                )
        await sender
    return found


def read_sound(path: Path) -> npt.NDArray[np.float32]:
    """Read the sound of a recording: [n] at 16 kHz."""
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
        found = asyncio.run(play(service.port, read_sound(options.recording)))
    for one in found:
        print(f"{one.end:7.2f} s  {one.latency:5.2f} s ({one.since_pause:.2f} s after the pause)  {one.text}")
    latencies = np.array([one.latency for one in found])
    if len(latencies):
        print(f"{len(found)} utterances: median {np.median(latencies):.2f} s, maximum {latencies.max():.2f} s")


if __name__ == "__main__":
    main()
