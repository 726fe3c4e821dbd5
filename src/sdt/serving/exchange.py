"""What goes through the gate: the body of a request as it arrives, and what is answered, which may be a refusal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.websockets import WebSocketDisconnect

from sdt.serving.refusals import Refusal, beyond
from sdt.serving.settings import Settings

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OPEN = 101
"""The status of a WebSocket that was opened."""
FAILED = 1011
"""The code with which it is closed where something went wrong inside."""
DRAIN_SECONDS, DRAIN_BYTES = 2.0, 64 * 2**20
"""What is still read of a body that is refused: a client that is sending would else see a broken connection, not the
answer."""


class Body:
    """The body of a request as it arrives."""

    def __init__(self, scope: Scope, receive: Receive, settings: Settings) -> None:
        self._receive, self._settings = receive, settings
        self._headers = dict(scope["headers"])
        self.size = 0
        """Bytes that have come."""
        self.complete = False
        self.awaited = b"expect" in self._headers
        """Whether the client waits to be told to go on, and hears a refusal instead."""

    def check(self) -> None:
        """Refuse a body that says itself that it is too long, before a byte of it has come."""
        stated = self._headers.get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self._settings.body_bytes:
            raise beyond(self._settings, "body_bytes", f"the body has {int(stated):,} bytes")

    async def receive(self) -> Message:
        """The next message, counted."""
        message = await self.next()
        if self.size > self._settings.body_bytes:
            raise beyond(self._settings, "body_bytes", "the body is too long")
        return message

    async def next(self) -> Message:
        """The next message, however long the body is."""
        self.awaited = False
        message = await self._receive()
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        else:
            self.complete = True
        return message


class Answer:
    """What is sent; knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass on what the application says."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, unless an answer has begun."""
        if self.status:
            return
        for message in refusal.messages():
            await self.send(message)


class Opened:
    """What is sent over a WebSocket; knows whether it is open."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._answers = "websocket.http.response" in scope.get("extensions", {})
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass on what the application says.

        Raises:
            WebSocketDisconnect: The client has gone.
        """
        if message["type"] == "websocket.accept":
            self.status = OPEN
        elif not self.status:  # closed before it was open: there is nothing at this path
            self.status = int(message.get("status", 403))
        try:
            await self._send(message)
        except OSError:
            raise WebSocketDisconnect(1006) from None

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal instead of opening, or close."""
        if self.status and self.status != OPEN:
            return
        with contextlib.suppress(OSError):
            if self.status == OPEN:
                await self._send({"type": "websocket.close", "code": FAILED, "reason": refusal.code})
                return
            self.status = refusal.status
            if not self._answers:
                await self._send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
                return
            start, body = refusal.messages()
            await self._send({**start, "type": "websocket.http.response.start"})
            await self._send({**body, "type": "websocket.http.response.body"})


async def drained(body: Body) -> None:
    """Read on for a moment where a client is in the midst of sending."""
    if body.awaited:
        return
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not body.complete and left > 0:
                left -= len((await body.next()).get("body", b""))
    except TimeoutError:
        pass
