"""A service that answers as it is told to: the page's files, the model, formats, and streams that break off."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from sdt.serving.page_routes import HEADERS, page_files

LABELS = ("neutral", "joy", "anger")
MODEL = {
    "name": "stand-in",
    "labels": LABELS,
    "modalities": {"text": {"width": 1, "encoder": "words:1", "recorded": False, "available": True}},
}


class StandIn:
    """The service; emotions follow each other in the order of the labels."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.talks: dict[str, list[dict[str, Any]]] = defaultdict(list)
        """Conversation to what was said."""
        self.protocols: list[list[str]] = []
        """What each connection offered to speak."""
        self.connections = 0
        self.mishaps: dict[int, str | int] = {}
        """Utterance to what goes wrong there, once: `deaf` (lost before it is kept), `mute` (kept, and lost before it
        is answered), `refused`, or the code with which the connection is closed after the answer."""
        self.port = 0
        self._files = page_files()

    def http(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer a request that is for no WebSocket."""
        path = urlsplit(request.path).path
        if path == "/v1/stream":
            self.protocols.append(
                [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",")]
            )
            return None
        if path == "/v1/model":
            if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
                return _response(
                    401, {}, json.dumps({"error": {"code": "token", "message": "send the token"}}).encode()
                )
            return _response(200, {}, json.dumps(MODEL).encode())
        if path == "/v1/formats":
            return _response(200, {}, json.dumps({"formats": []}).encode())
        if path not in self._files:
            return _response(404, {}, b"")
        file = self._files[path]
        return _response(200, {**HEADERS, "content-type": file.type}, file.content)

    def stream(self, connection: ServerConnection) -> None:
        """One connection."""
        assert connection.request
        self.connections += 1
        name = parse_qs(urlsplit(connection.request.path).query)["conversation"][0]
        connection.send(json.dumps({"type": "ready", "conversation": name, "next": len(self.talks[name])}))
        for message in connection:
            said = json.loads(message)
            if said["type"] == "forget":
                self.talks.pop(name)
                connection.send(json.dumps({"type": "forgotten"}))
            elif not self.hear(connection, self.talks[name], said):
                return

    def hear(self, connection: ServerConnection, talk: list[dict[str, Any]], said: dict[str, Any]) -> bool:
        """Answer an utterance; False: the connection is to end."""
        number = said["seq"]
        mishap = self.mishaps.pop(number, None)
        if mishap == "deaf":
            return False
        if mishap == "refused":
            error = {"code": "invalid", "message": "that cannot be said"}
            connection.send(json.dumps({"type": "error", "seq": number, "error": error}))
            return True
        assert number <= len(talk), "an utterance was left out"
        if number == len(talk):
            talk.append(said)
        if mishap == "mute":
            return False
        connection.send(
            json.dumps({"type": "prediction", "seq": number, "prediction": _predicted(number, talk[number])})
        )
        if isinstance(mishap, int):
            connection.close(mishap)
            return False
        return True


def _predicted(number: int, said: dict[str, Any]) -> dict[str, Any]:
    emotion = LABELS[number % len(LABELS)]
    shares = {label: 0.6 if label == emotion else 0.2 for label in LABELS}
    utterance = {"conversation": "c", "utterance": str(number), "speaker": said["speaker"], "text": said["text"]}
    return {**utterance, "start": None, "end": None, "emotion": emotion, "probability": 0.6, "probabilities": shares}


def _response(status: int, headers: dict[str, str], body: bytes) -> Response:
    length = {"content-length": str(len(body)), "connection": "close"}
    return Response(status, "", Headers({**headers, **length}), body)


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """One of them, listening."""
    standin = StandIn()

    def subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((one for one in offered if one == "sdt.v1"), None)

    server: Server = serve(
        standin.stream, "127.0.0.1", 0, process_request=standin.http, select_subprotocol=subprotocol, compression=None
    )
    standin.port = server.socket.getsockname()[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        thread.join()
