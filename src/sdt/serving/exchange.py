"""The request body as it arrives, and the sending of responses, including errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.websockets import WebSocketDisconnect

from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, limit_exceeded

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SWITCHING_PROTOCOLS = 101
"""The status of an accepted WebSocket."""
INTERNAL_ERROR = 1011
"""The close code of a WebSocket after an internal error."""
DRAIN_SECONDS, DRAIN_BYTES = 2.0, 64 * 2**20
"""Limits on reading the rest of a refused body; without it, a sending client would see a broken connection."""


class RequestBody:
    """The body of a request as it arrives.

    Args:
        scope: The ASGI scope.
        receive: The ASGI callable.
        config: The limits.
    """

    def __init__(self, scope: Scope, receive: Receive, config: ServingConfig) -> None:
        self._receive, self._config = receive, config
        self._headers = dict(scope["headers"])
        self.size = 0
        """Bytes received so far."""
        self.complete = False
        self.expects_continue = b"expect" in self._headers
        """Whether the client waits for `100 Continue` before it sends the body."""

    def check_length(self) -> None:
        """Check the content-length of a body before it is received.

        Raises:
            APIError: It exceeds the limit.
        """
        stated = self._headers.get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self._config.body_bytes:
            raise limit_exceeded(self._config, "body_bytes", f"the body has {int(stated):,} bytes")

    async def receive(self) -> Message:
        """The next message.

        Raises:
            APIError: The body is too long.
        """
        message = await self.receive_unbounded()
        if self.size > self._config.body_bytes:
            raise limit_exceeded(self._config, "body_bytes", "the body is too long")
        return message

    async def receive_unbounded(self) -> Message:
        """Return the next message without checking the length of the body."""
        self.expects_continue = False
        message = await self._receive()
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        else:
            self.complete = True
        return message

    async def drain(self) -> None:
        """Read the rest of the body for a limited time if the client is still sending."""
        if self.expects_continue:
            return
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.complete and left > 0:
                    left -= len((await self.receive_unbounded()).get("body", b""))
        except TimeoutError:
            pass


class ResponseSender:
    """Sends the response of a request; its `status` is 0 until the response has started."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass on a message of the application."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
        await self._send(message)

    async def refuse(self, error: APIError) -> None:
        """Respond with an error, unless a response has started."""
        if self.status:
            return
        for message in error.messages():
            await self.send(message)


class WebSocketSender:
    """Sends the messages of a WebSocket; its `status` is 0 until it is accepted or refused."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._can_respond = "websocket.http.response" in scope.get("extensions", {})
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass on a message of the application.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        if message["type"] == "websocket.accept":
            self.status = SWITCHING_PROTOCOLS
        elif not self.status:  # closed before it was accepted: no route has this path
            self.status = int(message.get("status", 403))
        try:
            await self._send(message)
        except OSError:
            raise WebSocketDisconnect(1006) from None

    async def refuse(self, error: APIError) -> None:
        """Respond with an error instead of accepting the WebSocket, or close it."""
        if self.status and self.status != SWITCHING_PROTOCOLS:
            return
        with contextlib.suppress(OSError):
            if self.status == SWITCHING_PROTOCOLS:
                await self._send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": error.code})
                return
            self.status = error.status
            if not self._can_respond:
                await self._send({"type": "websocket.close", "code": 1008, "reason": error.code})
                return
            start, body = error.messages()
            await self._send({**start, "type": "websocket.http.response.start"})
            await self._send({**body, "type": "websocket.http.response.body"})
