"""Uvicorn's WebSocket protocol with limits on the memory of a client.

Without them, a client that does not read keeps its connection and buffers forever, and pings and empty fragments can
use unlimited memory. Uvicorn also disconnects a client whose messages are in the queue of the service, since the answer
to a ping waits behind them.
"""

from __future__ import annotations

from asyncio import Protocol, TimerHandle
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from sdt.serving.limits import MemoryBudget

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
    from uvicorn.config import Config
    from uvicorn.server import ServerState

UNREAD_SECONDS = 60.0
"""Seconds after which a client that does not read is disconnected."""
UNREAD_BYTES = 2**20
"""Maximum bytes of pong frames that a client has not read; the service stops sending messages earlier."""
FRAGMENTS = 4096
"""Maximum number of fragments of a message, including empty ones."""
SMALL = 64 * 2**10
"""Bytes that a connection may use even if the memory budget is exceeded."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection.

    Args:
        config: As of uvicorn's protocol.
        server_state: As of uvicorn's protocol.
        app_state: As of uvicorn's protocol.
        budget: Counts the memory of its unread messages.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, budget: MemoryBudget
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._budget, self._counted = budget, 0
        self._partial = 0
        """Bytes of the fragments of an incomplete message."""
        self._sizes: deque[int] = deque()
        """Bytes of each message in the queue, preceded by those of the message that the application processes."""
        self._taken = False
        self._unread: TimerHandle | None = None
        self._heard = False

    def data_received(self, data: bytes) -> None:
        """Handle received bytes; see asyncio."""
        self._heard = True
        super().data_received(data)
        self._count()
        if self._budget.exceeded and self._counted > SMALL:
            self._fail(1013, "limit held_bytes")

    def pause_writing(self) -> None:
        """Disconnect the client if it does not start reading again in time."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel the timeout because the client reads again."""
        super().resume_writing()
        self._reads()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the memory of the connection; see asyncio."""
        self._reads()
        self._sizes.clear()
        super().connection_lost(exc)
        self._count()

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read the answers."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.transport.abort()

    def handle_text(self, event: Frame) -> None:
        """Handle the first fragment of a text message, or all of it."""
        self._partial = 0 if self.close_sent else len(event.data)
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Handle the first fragment of a binary message, or all of it."""
        self._partial = 0 if self.close_sent else len(event.data)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Handle a further fragment."""
        if self.close_sent:
            return
        if len(self.frames) >= FRAGMENTS:
            self._fail(1008, "too many fragments")
            return
        self._partial += len(event.data)
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Queue a complete message."""
        size, self._partial = self._partial, 0
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self._fail(1007, "not UTF-8")
            return
        if not self.close_sent:
            self._sizes.append(size)
        super().send_receive_event_to_app()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message; the application has processed the previous one."""
        if self._taken and self._sizes:
            self._sizes.popleft()
            self._count()
        self._taken = False
        message = await super().receive()
        self._taken = message["type"] == "websocket.receive"
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; an error response completes the handshake, which uvicorn does not expect.

        Raises:
            ClientDisconnected: The client, or this protocol because of what the client sent, has closed the connection.
        """
        await self.writable.wait()
        if self.close_sent and self.handshake_complete and self.initial_response is None:
            raise ClientDisconnected  # the prediction of an earlier message was still computed
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        """Disconnect a client that has not answered a ping, unless it sends or its messages wait in the queue."""
        if (self._heard or self.read_paused) and not self.transport.is_closing():
            self._heard = False
            assert self.ping_timeout is not None
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        self.pong_timer = None
        self.transport.abort()

    def _reads(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _count(self) -> None:
        """Update the memory budget."""
        now = 0 if self.disconnected else len(self.conn.reader.buffer) + self._partial + sum(self._sizes)
        self._budget.add(now - self._counted)
        self._counted = now

    def _fail(self, code: int, reason: str) -> None:
        """Close the connection because of invalid data from the client."""
        self.frames, self._partial = [], 0
        if self.close_sent:
            return
        self.conn.fail(code, reason)
        self.handle_parser_exception()


def websocket_protocol(budget: MemoryBudget) -> Callable[..., Protocol]:
    """The protocol as uvicorn expects it."""
    return partial(WebSocketProtocol, budget=budget)


def _is_utf8(fragments: list[bytes]) -> bool:
    try:
        b"".join(fragments).decode()
    except UnicodeDecodeError:
        return False
    return True
