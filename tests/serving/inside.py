"""A service within the test's own event loop, and clients of its streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from sdt.prediction import StreamInput
from sdt.serving.access import AccessControl
from sdt.serving.batching import StepResult
from sdt.serving.config import ServingConfig
from sdt.serving.predictor import Predictor
from sdt.serving.server import bind, uvicorn_config
from sdt.serving.service import Service
from tests.prediction.models import tiny_model


@cache
def predictor(model: Path | None = None) -> Predictor:
    """A model; without a folder, a tiny one of words."""
    if model is not None:
        return Predictor(str(model), "cpu")
    with TemporaryDirectory() as folder:
        tiny_model().save_pretrained(folder)
        return Predictor(folder, "cpu")


class Hold(asyncio.Event):
    """What utterances wait for, before they are computed; `begun` once the first of them does."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()


@dataclass
class Inside:
    service: Service
    port: int

    def connect(self, conversation: str | None = None, route: str = "stream", **options: Any) -> Any:
        asked = "" if conversation is None else f"?conversation={conversation}"
        return connect(f"ws://127.0.0.1:{self.port}/v1/{route}{asked}", proxy=None, **options)

    def predict_steps_with(self, predict: Callable[..., Awaitable[Any]]) -> None:
        """Have utterances predicted by something else."""
        self.service.stream_batcher.__dict__["predict"] = predict

    def hold(self) -> Hold:
        """Compute no utterance until the hold is set."""
        hold = Hold()
        predict = self.service.stream_batcher.predict

        async def slowly(spoken: StreamInput, number: int) -> StepResult:
            hold.begun.set()
            await hold.wait()
            return await predict(spoken, number)

        self.predict_steps_with(slowly)
        return hold


@asynccontextmanager
async def inside(
    token: str | None = None,
    model: Path | None = None,
    pings: float | None = None,
    origins: Sequence[str] = (),
    transcriber: str | None = None,
    **limits: Any,
) -> AsyncIterator[Inside]:
    """A service that asks clients every so many seconds whether they live; at its end nothing of it may be left."""
    before = asyncio.all_tasks()
    service = Service(
        predictor(model),
        ServingConfig(batch_wait_ms=1.0, **limits),
        access=AccessControl(token, (), origins),
        transcriber=transcriber,
    )
    service.warm_up()
    with bind("127.0.0.1", 0) as listening:
        configured = uvicorn_config(service)
        if pings is not None:
            configured.ws_ping_interval = configured.ws_ping_timeout = pings
        server = uvicorn.Server(configured)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield Inside(service, listening.getsockname()[1])
            service.sessions.close_connections()
        finally:
            server.should_exit = True
            await running
    assert service.running == 0
    assert service.memory.bytes == 0
    async with asyncio.timeout(20):  # what was cancelled ends a turn or two of the loop later
        while not asyncio.all_tasks() <= before:
            await asyncio.sleep(0.01)


def run(use: Callable[[Inside], Awaitable[None]], *, seconds: float = 60, **options: Any) -> None:
    """Use a service, no longer than this."""

    async def main() -> None:
        async with asyncio.timeout(seconds), inside(**options) as started:
            await use(started)

    asyncio.run(main())


async def heard(line: ClientConnection) -> Any:
    """The next message."""
    return json.loads(await line.recv())


async def say(line: ClientConnection, text: str | None = None, **values: Any) -> Any:
    """Say something and hear the answer."""
    said = {"type": "utterance", **({} if text is None else {"text": text}), **values}
    await line.send(json.dumps(said))
    return await heard(line)


async def closed(line: ClientConnection) -> tuple[int, str]:
    """The code and the reason of a connection's end, whatever comes before it."""
    await line.wait_closed()
    assert line.close_code is not None
    return line.close_code, line.close_reason or ""
