"""Which conversations of streams are kept, for whom, and for how long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sdt.serving.refusals import Refusal
from sdt.serving.settings import Settings
from sdt.serving.talks import ANSWER_BYTES, STOPPING, TAKEN_OVER, Talk, Talks


def run(use: Callable[[Talks], Awaitable[None]], **limits: Any) -> list[str]:
    """The ids that were forgotten."""
    forgotten: list[str] = []

    async def main() -> None:
        talks = Talks(Settings(**limits), forgotten.append)
        await use(talks)
        talks.close()

    asyncio.run(main())
    return forgotten


def test_who_comes_back_finds_the_conversation() -> None:
    async def use(talks: Talks) -> None:
        talk, ending = talks.enter("a")
        talk.add("0", "Ann")
        talks.leave(talk, ending)
        again, _ = talks.enter("a")
        assert again is talk
        assert (again.count, again.speaker, again.answered(0)) == (1, "Ann", "0")

    assert run(use) == []


def test_a_conversation_is_kept_for_so_long() -> None:
    async def use(talks: Talks) -> None:
        ends = []
        for name in "abc":
            talk, ending = talks.enter(name)
            talk.add("0", "Ann")
            ends.append((talk, ending))
        talks.leave(*ends[0])
        talks.leave(*ends[1])
        again, _ = talks.enter("b")
        await asyncio.sleep(1.3)
        assert len(talks) == 2  # a is forgotten; b and c are connected
        assert again.count == 1

    assert run(use, stream_keep_seconds=1.0) == ["a"]


def test_nothing_is_kept_where_nothing_was_said_or_nothing_shall_be() -> None:
    async def use(talks: Talks) -> None:
        talks.leave(*talks.enter("a"))
        assert len(talks) == 0

    assert run(use) == []

    async def say(talks: Talks) -> None:
        talk, ending = talks.enter("a")
        talk.add("0", "Ann")
        talks.leave(talk, ending)
        assert len(talks) == 0

    assert run(say, stream_keep_seconds=0.0) == ["a"]


def test_the_newer_connection_takes_over() -> None:
    async def use(talks: Talks) -> None:
        talk, older = talks.enter("a")
        talk.add("0", "Ann")
        _, newer = talks.enter("a")
        assert older.result() == TAKEN_OVER
        talks.leave(talk, older)
        assert (len(talks), talks.connected, newer.done()) == (1, 1, False)
        talks.stop()
        assert newer.result() == STOPPING
        talks.leave(talk, newer)
        assert talks.connected == 0

    assert run(use) == []


def test_the_one_that_was_left_first_makes_way() -> None:
    async def use(talks: Talks) -> None:
        ends = [talks.enter(name) for name in "abc"]
        for talk, _ in ends:
            talk.add("0", "Ann")
        with pytest.raises(Refusal) as refused:
            talks.enter("d")
        assert (refused.value.status, refused.value.limit) == (503, "streams")
        for place in (1, 0):
            talks.leave(*ends[place])
        talks.enter("d")
        talks.enter(None)
        with pytest.raises(Refusal):
            talks.enter(None)

    assert run(use, streams=3) == ["b", "a"]


def test_answers_are_kept_up_to_a_size() -> None:
    talk = Talk("a")
    size = ANSWER_BYTES // 10
    for number in range(25):
        talk.add(f"{number:03d}".ljust(size, "x"), "Ann")
    assert talk.answered(14) is None
    for number in range(15, 25):
        assert (talk.answered(number) or "")[:3] == f"{number:03d}"
    talk.clear()
    assert (talk.count, talk.speaker) == (0, "Speaker 1")


@pytest.mark.parametrize("name", ["", "a" * 65, "ä", "a b", "a/b", "a\n", "../a", "a.b", "٣"])
def test_ids_that_clients_choose_are_plain(name: str) -> None:
    async def use(talks: Talks) -> None:
        with pytest.raises(Refusal, match="conversation: an id has 1 to 64"):
            talks.enter(name)
        assert len(talks) == 0

    run(use)


def test_ids_that_the_service_makes_cannot_be_guessed() -> None:
    async def use(talks: Talks) -> None:
        made = {talks.enter(None)[0].id for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(r"[\w-]{22}", name) for name in made)
        talks.enter("x" * 64)

    run(use)
