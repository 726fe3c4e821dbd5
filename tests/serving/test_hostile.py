"""One request of every hostile kind: each is answered, none keeps the others waiting, nothing of any is kept."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.hostile_bodies import HostileRequest, request_kinds
from benchmarks.hostile_requests import send_request
from sdt.serving import validation
from sdt.serving.config import ServingConfig
from sdt.serving.limits import MemoryBudget
from tests.serving.inside import Inside, run

pytestmark = pytest.mark.xdist_group("serving")
SIZE = 100_000
SLOW = "head: a length and chunks"
"""It never ends, and is given up after --request-seconds; see `test_a_slow_sender_and_too_many_at_a_time`."""
STATUSES = {"200", "400", "403", "404", "405", "413", "415", "422", "501", "503"} | {
    "error",
    "prediction",
    "closed",
    "cut",
}


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that anything within the event loop has computed; other processes do not count."""
    found = [0.0]
    callback = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        callback(handle)
        found[0] = max(found[0], time.thread_time() - begun)

    monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
    return found


def test_every_kind(longest: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [(kind, make()) for kind, make in request_kinds(random.Random(0), SIZE).items() if kind != SLOW]
    answers: dict[str, str] = {}
    parsed: list[bytes] = []
    held: list[int] = []
    add = MemoryBudget.add

    def parse(model: type[Any], part: bytes, where: str = "") -> Any:
        parsed.append(part)
        return validation.validate(model, part, where)

    def count(budget: MemoryBudget, size: int) -> None:
        add(budget, size)
        held.append(budget.bytes)

    monkeypatch.setattr("sdt.serving.json_reader.validate", parse)
    monkeypatch.setattr(MemoryBudget, "add", count)

    async def use(service: Inside) -> None:
        longest[0] = 0.0  # the service has begun; what that took does not count
        left = iter(requests)
        await asyncio.gather(*(client(service.port, left) for _ in range(8)))

    async def client(port: int, left: Iterator[tuple[str, HostileRequest]]) -> None:
        for kind, request in left:
            answers[kind] = await send_request(port, request)

    run(use, seconds=240)
    assert len(answers) == len(requests) >= 100
    assert {answer.split()[0] for answer in answers.values()} <= STATUSES, answers
    assert answers["JSON: items that are numbers"] == "422 limit_utterances"
    assert longest[0] < 0.2, "the event loop did something else for so long"
    # The parser, which nothing interrupts, sees little at a time.
    assert max(map(len, parsed)) < 12 * ServingConfig().characters + 64_000
    assert max(part.count(b",") for part in parsed) < 3000
    assert 0 < max(held) <= ServingConfig().held_bytes
