"""The load that the benchmark of the service makes, against a server that says what it saw."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from benchmarks import serving
from benchmarks.serving import Load, Measurements


def test_requests_are_conversations() -> None:
    found = serving.request_bodies(5)
    assert len(found) == 5
    for body, size in found:
        assert len(json.loads(body)["utterances"]) == size > 0


def test_missing_responses_are_counted_as_lost() -> None:
    """A server that answers well, answers with 503, or hangs up, in turn."""
    seen: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.decode().lower().partition("content-length: ")[2].split()[0])
            utterances = json.loads(await reader.readexactly(length))["utterances"]
            kind = ("well", "busy", "gone")[seen.total() % 3]
            seen[kind] += 1
            await asyncio.sleep(0.01)
            if kind == "gone":
                break
            answer = json.dumps({"predictions": [{"emotion": "joy"}] * len(utterances)}).encode()
            status = b"200 OK" if kind == "well" else b"503 Busy"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(answer), answer))
            await writer.drain()
        writer.close()

    async def main() -> Load:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await serving.load(server.sockets[0].getsockname()[1], serving.request_bodies(5), 4, 0.5)

    load = asyncio.run(main())
    assert len(load.waited) == seen["well"] > 5
    assert load.lost == seen["busy"] + seen["gone"] > 10
    assert load.utterances >= len(load.waited)
    assert load.seconds >= 0.5


def test_results(capsys: pytest.CaptureFixture[str]) -> None:
    turns = {
        "together": [Load(2.0, [0.1] * 40, 100, 0), Load(2.0, [0.3] * 20, 50, 1)],
        "alone": [Load(2.0, [0.2] * 10, 25, 0), Load(2.0, [0.2] * 10, 25, 0)],
    }
    measured = Measurements({8: turns})
    of = serving.results(measured)["clients"]["8"]
    assert of["services"]["together"]["conversations_per_second"] == {"median": 15.0, "min": 10.0, "max": 20.0}
    assert of["services"]["together"]["milliseconds"]["50"] == pytest.approx(100)
    assert of["services"]["together"]["milliseconds"]["99"] == pytest.approx(300)
    assert (of["services"]["together"]["lost"], of["services"]["alone"]["lost"]) == (1, 0)
    assert of["together_times_faster"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    serving.show(measured, "note")
    assert "3.00 (2.00-4.00)" in capsys.readouterr().out
