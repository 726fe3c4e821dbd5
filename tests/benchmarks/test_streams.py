"""The load generator of the benchmark of streams, against a server that counts messages."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import streams
from benchmarks.serving import Load
from benchmarks.streams import Measurements


def test_missing_predictions_are_counted_as_lost() -> None:
    """The server answers with a prediction, answers with an error, or closes the connection, in alternation."""
    seen: Counter[str] = Counter()

    async def answers(line: ServerConnection) -> None:
        await line.send('{"type": "ready"}')
        async for message in line:
            assert json.loads(message).keys() == {"type", "speaker", "text"}
            kind = ("well", "well", "error", "gone")[seen.total() % 4]
            seen[kind] += 1
            await asyncio.sleep(0.005)
            if kind == "gone":
                line.transport.abort()
                return
            await line.send('{"type": "prediction"}' if kind == "well" else '{"type": "error"}')

    async def main() -> Load:
        async with serve(answers, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await streams.load(port, streams.conversations(5), 4, 0.5)

    load = asyncio.run(main())
    assert len(load.waited) == load.utterances == seen["well"] > 5
    assert load.lost == seen["error"] + seen["gone"] > 5
    assert load.seconds >= 0.5


def test_results(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measurements(2.5, 300 * 2**20, {8: [Load(2.0, [0.1] * 40, 40, 0), Load(2.0, [0.3] * 20, 20, 3)]})
    found = streams.results(measured)
    assert (found["start_seconds"], found["resident_bytes"]) == (2.5, 300 * 2**20)
    of = found["clients"]["8"]
    assert of["utterances_per_second"] == {"median": 15.0, "min": 10.0, "max": 20.0}
    assert of["milliseconds"] == {"50": pytest.approx(100), "95": pytest.approx(300), "99": pytest.approx(300)}
    assert (of["answers"], of["lost"]) == (60, 3)
    streams.show(measured, "note")
    output = capsys.readouterr().out
    assert "15.0 (10.0-20.0)" in output
    assert "ready after 2.5 s; 300 MiB" in output
