"""`WebSocket /v1/stream`: utterances in, predictions out as they come.

A client speaks JSON, one object a message. Its messages are read one at a time, and the next is read when the answer to
the last is on its way: a client that sends faster than that is held back by its own connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from starlette.websockets import WebSocket, WebSocketDisconnect

from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, printable
from sdt.formats.records import utterance_record
from sdt.prediction.live_features import Spoken
from sdt.serving.admission import SUBPROTOCOL
from sdt.serving.asked import Asked
from sdt.serving.memory import LARGE, give_back
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import StreamUtterance
from sdt.serving.talks import BINARY, IDLE, Ending, Talk

if TYPE_CHECKING:
    from sdt.serving.app import Service

log = logging.getLogger("sdt.serving")


async def stream(websocket: WebSocket, service: Service) -> None:
    """One connection, from the handshake to its end.

    Raises:
        Refusal: There is no room for it, or the conversation's id cannot be one.
        WebSocketDisconnect: The client has gone.
    """
    talk, ending = service.talks.enter(websocket.query_params.get("conversation"))
    said: dict[str, Any] = websocket.scope["state"]["said"]
    said.update({"utterances": 0, "errors": 0})
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
        ended = await _Connection(websocket, service, talk, ending, said).run()
        said["closed"] = ended.code
        await websocket.close(ended.code, ended.reason)
    except WebSocketDisconnect as error:
        said.setdefault("closed", error.code)
        raise
    finally:
        service.talks.leave(talk, ending)


class _Connection:
    """A client, and the conversation that it has."""

    def __init__(
        self,
        websocket: WebSocket,
        service: Service,
        talk: Talk,
        ending: asyncio.Future[Ending],
        said: dict[str, Any],
    ) -> None:
        self._websocket, self._service, self._talk, self._ending, self._said = websocket, service, talk, ending, said

    async def run(self) -> Ending:
        """Answer messages until the connection shall end.

        Raises:
            WebSocketDisconnect: The client has gone.
        """
        await self._ready()
        while (message := await self._next()) is not None:
            if "text" not in message:
                return BINARY
            if (answer := await self._answer(message["text"])) is None:
                break
            await self._websocket.send_text(answer)
            size = len(message["text"])
            del message
            if size > LARGE:
                give_back()
        return self._ending.result() if self._ending.done() else IDLE

    async def _ready(self) -> None:
        config = self._service.predictor.config
        async with self._talk.turn:  # an utterance that another connection sent may still be computed
            ready = {
                "type": "ready",
                "conversation": self._talk.id,
                "next": self._talk.count,
                "labels": list(config.labels),
                "modalities": list(config.modalities),
                "notes": self._service.steps.notes,
            }
        await self._websocket.send_text(_dump(ready))

    async def _next(self) -> Mapping[str, Any] | None:
        """The next message; None if the connection shall end, or nothing comes."""
        receive = asyncio.ensure_future(self._websocket.receive())
        either: set[asyncio.Future[Any]] = {receive, self._ending}
        seconds = self._service.settings.stream_idle_seconds
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            receive.cancel()
        if self._ending.done() or not receive.done():
            return None
        message = receive.result()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        return {name: value for name, value in message.items() if value is not None}

    async def _answer(self, text: str) -> str | None:
        """The answer to a message; None if the conversation is no longer this connection's."""
        try:
            sent = (await self._service.reader.message(text)).root
            async with self._talk.turn:
                if self._ending.done():
                    return None
                if isinstance(sent, StreamUtterance):
                    return await self._utterance(sent)
                self._service.talks.forget(self._talk)
            return _dump({"type": "forgotten"})
        except Refusal as refusal:
            self._said["errors"] += 1
            number = await self._service.reader.number(text, self._talk.count)
            return _dump({"type": "error", "seq": number, **json.loads(refusal.body())})

    async def _utterance(self, sent: StreamUtterance) -> str:
        """The answer to an utterance: what is kept if it was answered, or what the model says.

        Raises:
            Refusal: It cannot be predicted, or is not the next one; the conversation stays as it was.
        """
        talk, settings = self._talk, self._service.settings
        number = talk.count if sent.seq is None else sent.seq
        if number < talk.count:
            return _kept(talk, number)
        if number > talk.count:
            raise Refusal(409, "order", f"utterance {number} has come, and the next one is {talk.count}")
        if number >= settings.stream_utterances:
            raise beyond(settings, "stream_utterances", f"the conversation has {number:,} utterances")
        async with self._service.reader.utterance(talk.id, sent, number, talk.speaker) as asked:
            answer = await self._predicted(asked, number)
        talk.add(answer, asked.conversation.utterances[0].speaker)
        self._said["utterances"] += 1
        return answer

    async def _predicted(self, asked: Asked, number: int) -> str:
        (utterance,) = asked.conversation.utterances
        if self._service.log_words:
            words = [self._talk.id, [[utterance.speaker, utterance.text]]]
            log.info("conversation %s", printable(json.dumps(words, ensure_ascii=False)))
        features, problems = await self._features(asked)
        try:
            found = await self._service.steps.predict(Spoken(utterance, self._talk.id, features), number)
        except InputError as error:
            raise invalid(str(error)) from None
        return _dump(
            {
                "type": "prediction",
                "seq": number,
                "prediction": utterance_record(found.prediction, utterance),
                "problems": problems + found.problems,
            }
        )

    async def _features(self, asked: Asked) -> tuple[dict[str, Any], list[str]]:
        """The features of an utterance that it brings or its clip gives, and why others lack."""
        features: dict[str, Any] = {name: _row(encoded) for name, encoded in asked.given.items()}
        wanted = [modality for modality in self._service.steps.recorded if modality not in features]
        if not asked.uploads or not wanted or self._service.decoders is None:
            return features, ["the clip is not used"] if asked.uploads else []
        settings = self._service.settings
        try:
            async with asyncio.timeout(settings.request_seconds):
                made = await self._service.decoders.make(asked.conversation, asked.uploads)
        except TimeoutError:
            raise beyond(settings, "request_seconds", "the clip took too long") from None
        problems = [line for modality in wanted if modality in made for line in made[modality].problems]
        return features | {modality: _row(made[modality]) for modality in wanted if modality in made}, problems


def _kept(talk: Talk, number: int) -> str:
    """The answer to an utterance that was answered before.

    Raises:
        Refusal: It is not kept any more.
    """
    answer = talk.answered(number)
    if answer is None:
        raise Refusal(409, "answered", f"utterance {number} was answered long ago; the next one is {talk.count}")
    return answer


def _row(encoded: Encoded) -> npt.NDArray[np.float32] | None:
    """The features of the only utterance that was encoded."""
    return encoded.features[0] if encoded.present[0] else None


def _dump(value: Mapping[str, object]) -> str:
    # Names and words may hold what UTF-8 cannot.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
