"""`WebSocket /v1/stream`: a client sends utterances and receives a prediction for each.

Messages are JSON objects. The service reads a message after it has answered the previous one, so a client that sends
faster is limited by backpressure.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.websockets import WebSocket, WebSocketDisconnect

from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, printable
from sdt.formats.records import utterance_record
from sdt.prediction.stream_features import StreamInput
from sdt.serving.access import SUBPROTOCOL
from sdt.serving.errors import APIError, invalid_request, limit_exceeded
from sdt.serving.limits import LARGE, trim_memory
from sdt.serving.predict_request import PredictRequest
from sdt.serving.schemas import StreamUtterance
from sdt.serving.service import Service
from sdt.serving.sessions import BINARY, IDLE, CloseReason, Session

log = logging.getLogger("sdt.serving")


async def handle_stream(websocket: WebSocket, service: Service) -> None:
    """Handle one connection from the handshake to its end.

    Raises:
        APIError: There are too many sessions, or the id of the conversation is not valid.
        WebSocketDisconnect: The client has disconnected.
    """
    await handle_connection(websocket, service, StreamConnection)


async def handle_connection(websocket: WebSocket, service: Service, kind: type[StreamConnection]) -> None:
    """Connect a session, run a connection of this kind, and disconnect the session; see `handle_stream`."""
    session, closing = service.sessions.connect(websocket.query_params.get("conversation"))
    fields: dict[str, Any] = websocket.scope["state"]["log_fields"]
    fields.update({"utterances": 0, "errors": 0})
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
        reason = await kind(websocket, service, session, closing, fields).run()
        fields["closed"] = reason.code
        await websocket.close(reason.code, reason.reason)
    except WebSocketDisconnect as error:
        fields.setdefault("closed", error.code)
        raise
    finally:
        service.sessions.disconnect(session, closing)


class StreamConnection:
    """A connection to a session."""

    def __init__(
        self,
        websocket: WebSocket,
        service: Service,
        session: Session,
        closing: asyncio.Future[CloseReason],
        fields: dict[str, Any],
    ) -> None:
        self._websocket, self._service, self._session = websocket, service, session
        self._closing, self._fields = closing, fields

    async def run(self) -> CloseReason:
        """Answer messages until the connection has to close.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        await self._send_ready()
        while (message := await self._receive()) is not None:
            if "text" not in message:
                return BINARY
            if (answer := await self._answer(message["text"])) is None:
                break
            await self._websocket.send_text(answer)
            size = len(message["text"])
            del message
            if size > LARGE:
                trim_memory()
        return self._closing.result() if self._closing.done() else IDLE

    async def _send_ready(self) -> None:
        config = self._service.predictor.config
        async with self._session.lock:  # an utterance of an older connection may still be computed
            ready = {
                "type": "ready",
                "conversation": self._session.id,
                "next": self._session.count,
                "labels": list(config.labels),
                "modalities": list(config.modalities),
                "notes": self._service.stream_batcher.notes,
            }
        await self._websocket.send_text(_dump(ready))

    async def _receive(self) -> Mapping[str, Any] | None:
        """The next message; None if the connection has to close, or after too long without a message."""
        receive = asyncio.ensure_future(self._websocket.receive())
        either: set[asyncio.Future[Any]] = {receive, self._closing}
        seconds = self._service.config.stream_idle_seconds
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            receive.cancel()
        if self._closing.done() or not receive.done():
            return None
        message = receive.result()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        return {name: value for name, value in message.items() if value is not None}

    async def _answer(self, text: str) -> str | None:
        """The answer to a message; None if a newer connection has taken over the session."""
        try:
            message = (await self._service.reader.stream_message(text)).root
            async with self._session.lock:
                if self._closing.done():
                    return None
                if isinstance(message, StreamUtterance):
                    return await self._answer_utterance(message)
                self._service.sessions.reset(self._session)
            return _dump({"type": "forgotten"})
        except APIError as error:
            self._fields["errors"] += 1
            number = await self._service.reader.sequence_number(text, self._session.count)
            return _dump({"type": "error", "seq": number, **json.loads(error.body())})

    async def _answer_utterance(self, message: StreamUtterance) -> str:
        """The prediction for an utterance, or the recorded one if it was answered before.

        Raises:
            APIError: It cannot be predicted, or is not the next one; the session is unchanged.
        """
        session, config = self._session, self._service.config
        number = session.count if message.seq is None else message.seq
        if number < session.count:
            return _recorded_answer(session, number)
        if number > session.count:
            raise APIError(409, "order", f"received utterance {number}; the next one is {session.count}")
        if number >= config.stream_utterances:
            raise limit_exceeded(config, "stream_utterances", f"the conversation has {number:,} utterances")
        async with self._service.reader.stream_utterance(session.id, message, number, session.speaker) as request:
            answer = await self._predict(request, number)
        session.add(answer, request.conversation.utterances[0].speaker)
        self._fields["utterances"] += 1
        return answer

    async def _predict(self, request: PredictRequest, number: int) -> str:
        (utterance,) = request.conversation.utterances
        if self._service.log_words:
            words = [self._session.id, [[utterance.speaker, utterance.text]]]
            log.info("conversation %s", printable(json.dumps(words, ensure_ascii=False)))
        features, problems = await self._features(request)
        try:
            spoken = StreamInput(utterance, self._session.id, features)
            result = await self._service.stream_batcher.predict(spoken, number)
        except InputError as error:
            raise invalid_request(str(error)) from None
        return _dump(
            {
                "type": "prediction",
                "seq": number,
                "prediction": utterance_record(result.prediction, utterance),
                "problems": problems + result.problems,
            }
        )

    async def _features(self, request: PredictRequest) -> tuple[dict[str, Any], list[str]]:
        """The features given with an utterance or extracted from its clip, and the reasons why others are missing."""
        features: dict[str, Any] = {name: _row(encoded) for name, encoded in request.features.items()}
        wanted = [modality for modality in self._service.stream_batcher.recorded if modality not in features]
        if not request.uploads or not wanted or self._service.decoders is None:
            return features, ["the clip is not used"] if request.uploads else []
        config = self._service.config
        try:
            async with asyncio.timeout(config.request_seconds):
                extracted = await self._service.decoders.extract(request.conversation, request.uploads)
        except TimeoutError:
            raise limit_exceeded(config, "request_seconds", "decoding the clip took too long") from None
        problems = [line for modality in wanted if modality in extracted for line in extracted[modality].problems]
        return features | {m: _row(extracted[m]) for m in wanted if m in extracted}, problems


def _recorded_answer(session: Session, number: int) -> str:
    """The answer to an utterance that was answered before.

    Raises:
        APIError: It is no longer kept.
    """
    answer = session.answer(number)
    if answer is None:
        text = f"utterance {number} was answered, but its answer is no longer kept; the next one is {session.count}"
        raise APIError(409, "answered", text)
    return answer


def _row(encoded: Encoded) -> npt.NDArray[np.float32] | None:
    """The features of the single encoded utterance; None if it has none."""
    return encoded.features[0] if encoded.present[0] else None


def _dump(value: Mapping[str, object]) -> str:
    # Names and texts may contain characters that UTF-8 cannot encode.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
