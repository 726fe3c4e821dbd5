"""Stream sessions: the conversations of streams, their connections, and how long they are kept."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sdt.conversation import FIRST_SPEAKER
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, limit_exceeded

ANSWER_BYTES = 2**20
"""Maximum bytes of answers that a session keeps for clients that lost their connection."""
LONGEST_ID = 64
"""Maximum characters of an id chosen by a client."""


@dataclass(frozen=True)
class CloseReason:
    """Why the service closes a connection."""

    code: int
    """The WebSocket close code; codes from 4000 on are specific to this service."""
    reason: str


BINARY = CloseReason(1003, "send text messages, not binary ones")
STOPPING = CloseReason(1012, "the service is stopping")
TAKEN_OVER = CloseReason(4001, "a newer connection has this conversation")
IDLE = CloseReason(4002, "no message for too long")


class Session:
    """One conversation of a stream.

    Args:
        id: The id by which clients reconnect to it.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.lock = asyncio.Lock()
        """Held while an utterance is computed, and to read `count`."""
        self.closing: asyncio.Future[CloseReason] | None = None
        """Set to close the current connection; None without a connection."""
        self.expiry: asyncio.TimerHandle | None = None
        self.clear()

    def clear(self) -> None:
        """Start a new conversation."""
        self.count = 0
        """The number of answered utterances."""
        self.speaker = FIRST_SPEAKER
        """The speaker of the last utterance."""
        self._answers: deque[str] = deque()
        """The last answers, up to `ANSWER_BYTES`."""
        self._bytes = 0

    def add(self, answer: str, speaker: str) -> None:
        """Record the answer to the next utterance."""
        self.count += 1
        self.speaker = speaker
        self._answers.append(answer)
        self._bytes += len(answer)
        while self._bytes > ANSWER_BYTES:
            self._bytes -= len(self._answers.popleft())

    def answer(self, number: int) -> str | None:
        """The answer to an earlier utterance; None if it is no longer kept."""
        place = number - (self.count - len(self._answers))
        return self._answers[place] if place >= 0 else None


class SessionStore:
    """All stream sessions; not thread-safe, used within the event loop.

    Args:
        config: The maximum number of sessions, and how long they are kept.
        on_drop: Called with the id of a deleted conversation.
    """

    def __init__(self, config: ServingConfig, on_drop: Callable[[str], None]) -> None:
        self._config, self._on_drop = config, on_drop
        self._sessions: dict[str, Session] = {}
        self._idle: dict[str, Session] = {}
        """Sessions without a connection, in the order in which they were disconnected."""
        self._connections: set[asyncio.Future[CloseReason]] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def connected(self) -> int:
        """The number of open connections, including those being closed."""
        return len(self._connections)

    def connect(self, id: str | None) -> tuple[Session, asyncio.Future[CloseReason]]:
        """Connect to a session; an older connection to it is closed.

        Args:
            id: The id of the session; None for a new one.

        Returns:
            The session, and a future that is set when the connection has to close.

        Raises:
            APIError: The id is not valid, or there are too many sessions.
        """
        session = self._sessions.get(_check_id(id)) if id is not None else None
        if session is None:
            self._make_room()
            session = Session(secrets.token_urlsafe(16) if id is None else id)
            self._sessions[session.id] = session
        elif session.closing is not None and not session.closing.done():
            session.closing.set_result(TAKEN_OVER)
        self._idle.pop(session.id, None)
        if session.expiry is not None:
            session.expiry.cancel()
        session.closing = asyncio.get_running_loop().create_future()
        self._connections.add(session.closing)
        return session, session.closing

    def disconnect(self, session: Session, closing: asyncio.Future[CloseReason]) -> None:
        """End a connection; its session is kept for a while if it has utterances and no newer connection."""
        self._connections.discard(closing)
        if session.closing is not closing:
            return
        session.closing = None
        if not session.count or not self._config.stream_keep_seconds:
            self._drop(session)
            return
        self._idle[session.id] = session
        loop = asyncio.get_running_loop()
        session.expiry = loop.call_later(self._config.stream_keep_seconds, self._drop, session)

    def reset(self, session: Session) -> None:
        """Delete the conversation of a session; its connection stays open."""
        session.clear()
        self._on_drop(session.id)

    def close_connections(self) -> None:
        """Close all connections, since the service is stopping."""
        for closing in self._connections:
            if not closing.done():
                closing.set_result(STOPPING)

    def close(self) -> None:
        """Cancel all timers."""
        for session in self._idle.values():
            assert session.expiry is not None
            session.expiry.cancel()

    def _make_room(self) -> None:
        """Delete the session that has been idle for the longest if there are too many.

        Raises:
            APIError: All sessions are connected.
        """
        if len(self._sessions) < self._config.streams:
            return
        if not self._idle:
            raise limit_exceeded(self._config, "streams", "too many concurrent streams")
        self._drop(next(iter(self._idle.values())))

    def _drop(self, session: Session) -> None:
        if session.expiry is not None:
            session.expiry.cancel()
        self._idle.pop(session.id, None)
        del self._sessions[session.id]
        if session.count:
            self._on_drop(session.id)


def _check_id(id: str) -> str:
    """Check and return an id chosen by a client.

    Raises:
        APIError: The id is not valid.
    """
    if not 0 < len(id) <= LONGEST_ID or not id.isascii() or not id.replace("-", "").replace("_", "").isalnum():
        raise APIError(
            422,
            "conversation",
            f"conversation: invalid id; use 1 to {LONGEST_ID} letters a to z, digits, '-' and '_'",
        )
    return id
