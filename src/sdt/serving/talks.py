"""Conversations of streams: who is connected to which, what was answered, and how long each is kept."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sdt.serving.refusals import Refusal, beyond
from sdt.serving.settings import Settings
from sdt.speakers import FIRST_SPEAKER

ANSWER_BYTES = 2**20
"""Bytes of answers that are kept of a conversation, for clients that lost the connection before they had them."""
LONGEST_ID = 64
"""Characters of an id that a client chooses."""


@dataclass(frozen=True)
class Ending:
    """Why a connection is closed."""

    code: int
    """Of WebSocket; from 4000 on they are this service's own."""
    reason: str


BINARY = Ending(1003, "send text, not bytes")
STOPPING = Ending(1012, "the service is stopping")
TAKEN_OVER = Ending(4001, "a newer connection has this conversation")
IDLE = Ending(4002, "nothing was said for too long")


class Talk:
    """One conversation.

    Args:
        id: By which clients come back to it.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.turn = asyncio.Lock()
        """Held while an utterance is computed, and by who wants to know how many there are."""
        self.ending: asyncio.Future[Ending] | None = None
        """Of the connection that has it; None while nobody is connected."""
        self.expiry: asyncio.TimerHandle | None = None
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.count = 0
        """How many utterances there are."""
        self.speaker = FIRST_SPEAKER
        """Who spoke last."""
        self._answers: deque[str] = deque()
        """The last of them, as far as they are kept."""
        self._bytes = 0

    def add(self, answer: str, speaker: str) -> None:
        """One more utterance was answered."""
        self.count += 1
        self.speaker = speaker
        self._answers.append(answer)
        self._bytes += len(answer)
        while self._bytes > ANSWER_BYTES:
            self._bytes -= len(self._answers.popleft())

    def answered(self, number: int) -> str | None:
        """What was answered to an utterance; None where it is not kept any more."""
        place = number - (self.count - len(self._answers))
        return self._answers[place] if place >= 0 else None


class Talks:
    """All conversations of streams; used within the event loop.

    Args:
        settings: How many, and how long they are kept.
        forget: Called with the id of a conversation that is not kept any more.
    """

    def __init__(self, settings: Settings, forget: Callable[[str], None]) -> None:
        self._settings, self._forget = settings, forget
        self._talks: dict[str, Talk] = {}
        self._left: dict[str, Talk] = {}
        """Those to which nobody is connected, in the order in which they were left."""
        self._connected: set[asyncio.Future[Ending]] = set()

    def __len__(self) -> int:
        return len(self._talks)

    @property
    def connected(self) -> int:
        """How many connections there are; one that is being closed is among them."""
        return len(self._connected)

    def enter(self, id: str | None) -> tuple[Talk, asyncio.Future[Ending]]:
        """Connect to a conversation; whoever is connected to it is told to go.

        Args:
            id: Of the conversation; None for a new one.

        Returns:
            The conversation, and what will say why the connection shall end.

        Raises:
            Refusal: That cannot be an id, or there are as many conversations as there may be.
        """
        talk = self._talks.get(_checked(id)) if id is not None else None
        if talk is None:
            self._make_room()
            talk = Talk(secrets.token_urlsafe(16) if id is None else id)
            self._talks[talk.id] = talk
        elif talk.ending is not None and not talk.ending.done():
            talk.ending.set_result(TAKEN_OVER)
        self._left.pop(talk.id, None)
        if talk.expiry is not None:
            talk.expiry.cancel()
        talk.ending = asyncio.get_running_loop().create_future()
        self._connected.add(talk.ending)
        return talk, talk.ending

    def leave(self, talk: Talk, ending: asyncio.Future[Ending]) -> None:
        """A connection has ended; the conversation is kept for a while, if there is one and nobody else has it."""
        self._connected.discard(ending)
        if talk.ending is not ending:
            return
        talk.ending = None
        if not talk.count or not self._settings.stream_keep_seconds:
            self._drop(talk)
            return
        self._left[talk.id] = talk
        talk.expiry = asyncio.get_running_loop().call_later(self._settings.stream_keep_seconds, self._drop, talk)

    def forget(self, talk: Talk) -> None:
        """Forget what was said, at its client's wish, who stays."""
        talk.clear()
        self._forget(talk.id)

    def stop(self) -> None:
        """Tell all connections that the service is stopping."""
        for ending in self._connected:
            if not ending.done():
                ending.set_result(STOPPING)

    def close(self) -> None:
        """Nothing is kept any more."""
        for talk in self._left.values():
            assert talk.expiry is not None
            talk.expiry.cancel()

    def _make_room(self) -> None:
        """Where there are as many as there may be, the one that was left first makes way.

        Raises:
            Refusal: All of them are connected.
        """
        if len(self._talks) < self._settings.streams:
            return
        if not self._left:
            raise beyond(self._settings, "streams", "too many streams at a time")
        self._drop(next(iter(self._left.values())))

    def _drop(self, talk: Talk) -> None:
        if talk.expiry is not None:
            talk.expiry.cancel()
        self._left.pop(talk.id, None)
        del self._talks[talk.id]
        if talk.count:
            self._forget(talk.id)


def _checked(id: str) -> str:
    """An id that a client chose.

    Raises:
        Refusal: It cannot be one.
    """
    if not 0 < len(id) <= LONGEST_ID or not id.isascii() or not id.replace("-", "").replace("_", "").isalnum():
        raise Refusal(
            422,
            "conversation",
            f"conversation: an id has 1 to {LONGEST_ID} characters, which are letters a to z, digits, '-' and '_'",
        )
    return id
