"""Which conversations of streams are kept, for whom, and for how long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError
from sdt.serving.sessions import ANSWER_BYTES, STOPPING, TAKEN_OVER, Session, SessionStore


def run(use: Callable[[SessionStore], Awaitable[None]], **limits: Any) -> list[str]:
    """The ids that were forgotten."""
    forgotten: list[str] = []

    async def main() -> None:
        store = SessionStore(ServingConfig(**limits), forgotten.append)
        await use(store)
        store.close()

    asyncio.run(main())
    return forgotten


def test_who_comes_back_finds_the_conversation() -> None:
    async def use(store: SessionStore) -> None:
        session, ending = store.connect("a")
        session.add("0", "Ann")
        store.disconnect(session, ending)
        again, _ = store.connect("a")
        assert again is session
        assert (again.count, again.speaker, again.answer(0)) == (1, "Ann", "0")

    assert run(use) == []


def test_a_conversation_is_kept_for_so_long() -> None:
    async def use(store: SessionStore) -> None:
        ends = []
        for name in "abc":
            session, ending = store.connect(name)
            session.add("0", "Ann")
            ends.append((session, ending))
        store.disconnect(*ends[0])
        store.disconnect(*ends[1])
        again, _ = store.connect("b")
        await asyncio.sleep(1.3)
        assert len(store) == 2  # a is forgotten; b and c are connected
        assert again.count == 1

    assert run(use, stream_keep_seconds=1.0) == ["a"]


def test_nothing_is_kept_where_nothing_was_said_or_nothing_shall_be() -> None:
    async def use(store: SessionStore) -> None:
        store.disconnect(*store.connect("a"))
        assert len(store) == 0

    assert run(use) == []

    async def say(store: SessionStore) -> None:
        session, ending = store.connect("a")
        session.add("0", "Ann")
        store.disconnect(session, ending)
        assert len(store) == 0

    assert run(say, stream_keep_seconds=0.0) == ["a"]


def test_the_newer_connection_takes_over() -> None:
    async def use(store: SessionStore) -> None:
        session, older = store.connect("a")
        session.add("0", "Ann")
        _, newer = store.connect("a")
        assert older.result() == TAKEN_OVER
        store.disconnect(session, older)
        assert (len(store), store.connected, newer.done()) == (1, 1, False)
        store.close_connections()
        assert newer.result() == STOPPING
        store.disconnect(session, newer)
        assert store.connected == 0

    assert run(use) == []


def test_the_one_that_was_left_first_makes_way() -> None:
    async def use(store: SessionStore) -> None:
        ends = [store.connect(name) for name in "abc"]
        for session, _ in ends:
            session.add("0", "Ann")
        with pytest.raises(APIError) as refused:
            store.connect("d")
        assert (refused.value.status, refused.value.limit) == (503, "streams")
        for place in (1, 0):
            store.disconnect(*ends[place])
        store.connect("d")
        store.connect(None)
        with pytest.raises(APIError):
            store.connect(None)

    assert run(use, streams=3) == ["b", "a"]


def test_answers_are_kept_up_to_a_size() -> None:
    session = Session("a")
    size = ANSWER_BYTES // 10
    for number in range(25):
        session.add(f"{number:03d}".ljust(size, "x"), "Ann")
    assert session.answer(14) is None
    for number in range(15, 25):
        assert (session.answer(number) or "")[:3] == f"{number:03d}"
    session.clear()
    assert (session.count, session.speaker) == (0, "Speaker 1")


@pytest.mark.parametrize("name", ["", "a" * 65, "ä", "a b", "a/b", "a\n", "../a", "a.b", "٣"])
def test_ids_that_clients_choose_are_plain(name: str) -> None:
    async def use(store: SessionStore) -> None:
        with pytest.raises(APIError, match="conversation: invalid id; use 1 to 64"):
            store.connect(name)
        assert len(store) == 0

    run(use)


def test_ids_that_the_service_makes_cannot_be_guessed() -> None:
    async def use(store: SessionStore) -> None:
        made = {store.connect(None)[0].id for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(r"[\w-]{22}", name) for name in made)
        store.connect("x" * 64)

    run(use)
