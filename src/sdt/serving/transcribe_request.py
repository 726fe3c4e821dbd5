"""The transcription of a request's recording, for `/v1/predict` and `/v1/transcribe`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from sdt.conversation import Conversation
from sdt.serving.errors import APIError, limit_exceeded
from sdt.serving.monitoring import Progress
from sdt.serving.predict_request import PredictRequest
from sdt.serving.responses import conversation_fields, dump, while_connected
from sdt.serving.transcriber_pool import Transcribed

if TYPE_CHECKING:
    from sdt.serving.service import Service

TICK = 1.0
"""Seconds between two lines of `/v1/transcribe`, at most."""


async def transcribe(service: Service, request: Request, asked: PredictRequest, progress: Progress) -> None:
    """Transcribe the recording of a request without a transcript: sets its conversation.

    The time is bounded by the limit `transcribe_seconds`, not by `request_seconds`.

    Raises:
        APIError: It cannot be transcribed.
        ClientDisconnect: The client has disconnected.
    """
    if asked.transcribe is None:
        return
    deadline: asyncio.Timeout = request.state.deadline
    deadline.reschedule(None)
    try:
        work = service.transcribers.transcribe(asked.uploads[0], asked.transcribe, progress.transcribing)
        found = await while_connected(request, work)
    finally:
        deadline.reschedule(asyncio.get_running_loop().time() + service.config.request_seconds)
    asked.conversation = named(found, asked).conversation
    asked.notes += found.notes
    asked.seconds = found.seconds
    if len(asked.conversation) > service.config.request_utterances:
        raise limit_exceeded(service.config, "request_utterances", "the recording has too many utterances")


def named(found: Transcribed, asked: PredictRequest) -> Transcribed:
    """The transcript under the client's name of its recording."""
    name = Path(asked.uploads[0].name).stem
    return Transcribed(Conversation(name, found.conversation.utterances), found.seconds, found.notes)


async def transcript_lines(service: Service, request: Request, asked: PredictRequest) -> AsyncIterator[bytes]:
    """The lines of `/v1/transcribe`: the progress, at last the conversation or the error.

    The recognition ends when the client disconnects.

    Raises:
        APIError: It cannot begin; once the first line is sent, an error is the last line.
    """
    assert asked.transcribe is not None
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[bytes | None] = asyncio.Queue()
    last = b""

    def progress(stage: str, done: float, seconds: float) -> None:
        loop.call_soon_threadsafe(news.put_nowait, dump({"stage": stage, "done": done, "seconds": seconds}))

    work = asyncio.create_task(
        while_connected(request, service.transcribers.transcribe(asked.uploads[0], asked.transcribe, progress))
    )
    work.add_done_callback(lambda _: news.put_nowait(None))
    try:
        while True:
            try:
                line = await asyncio.wait_for(news.get(), TICK if last else None)
            except TimeoutError:  # a line now and then shows proxies that the request is alive
                line = last
            if line is None:
                break
            last = line
            yield line + b"\n"
        found = named(work.result(), asked)
        conversation = conversation_fields(found.conversation)
        yield dump({"conversation": conversation, "seconds": found.seconds, "notes": found.notes}) + b"\n"
    except ClientDisconnect:
        return
    except APIError as error:
        if not last:
            raise
        yield error.body() + b"\n"
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
