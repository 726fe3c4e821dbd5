"""The routes for recordings without a transcript: `POST /v1/transcribe` and `WebSocket /v1/listen`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sdt.serving.errors import APIError
from sdt.serving.listen import handle_listen
from sdt.serving.openapi import TRANSCRIBE_BODY, errors
from sdt.serving.responses import JSON_LINES
from sdt.serving.service import Service
from sdt.serving.transcribe_request import transcript_lines


def add_transcription(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    """Add both routes."""
    line = {"content": {JSON_LINES: {"schema": {"$ref": "#/components/schemas/TranscribeLine"}}}}

    @app.post(
        "/v1/transcribe",
        operation_id="transcribe",
        responses={
            200: {"description": "lines of JSON", **line},
            **errors(400, 401, 403, 413, 415, 422, 429, 500, 501),
        },
        openapi_extra=TRANSCRIBE_BODY,
        dependencies=guard,
    )
    async def transcribe(request: Request) -> Response:
        """Transcribe a recording: who says which words when.

        Send multipart with a part `media` (audio or video). The response has one JSON object a line (TranscribeLine):
        at least each second the progress, and at last the conversation in the format of /v1/predict, or an error. Only
        an error before the first line has its status.
        """
        request.state.deadline.reschedule(None)  # bounded by the limit transcribe_seconds
        lines = _lines(request, service)
        first = await anext(lines)  # an error before it is answered with its status
        return StreamingResponse(_joined(first, lines), media_type=JSON_LINES, headers={"cache-control": "no-store"})

    @app.websocket("/v1/listen")
    async def listen(websocket: WebSocket) -> None:
        await handle_listen(websocket, service)

    @app.get(
        "/v1/listen",
        operation_id="listen",
        responses={101: {"description": "a WebSocket"}, **errors(401, 403, 422, 426, 501, 503)},
        dependencies=guard,
    )
    async def not_a_websocket(conversation: str | None = None, language: str | None = None) -> Response:  # noqa: ARG001
        """A WebSocket that receives live speech and sends the words and the emotion of each utterance.

        Binary messages are sound: 16-bit little-endian samples of one channel at 16 kHz. The service sends StreamReady
        first, ListenSpeech when an utterance begins and when it ends in a pause, and then its StreamPrediction, whose
        prediction has `words`. ListenSpeaker names who speaks from now on, ListenEnd ends the current utterance and is
        answered with ListenEnded once everything is predicted, and StreamForget deletes the conversation. Messages,
        errors and the token are otherwise as in /v1/stream.
        """
        raise APIError(426, "websocket", "open a WebSocket here", headers={"upgrade": "websocket"})


async def _lines(request: Request, service: Service) -> AsyncIterator[bytes]:
    async with service.reader.recording(request) as asked:
        fields = request.state.log_fields
        fields["recordings"] = 1
        async for line in transcript_lines(service, request, asked):
            yield line


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in rest:
        yield line
