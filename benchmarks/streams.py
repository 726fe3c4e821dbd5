"""Streams of the HTTP service under load: how long an utterance waits for its prediction, and how many there are.

A service is started; in every turn so many clients speak for so long, each in a conversation of its own and each as
soon as it has the answer to what it said last. A conversation of a few hundred utterances is not slower than a short
one: the model reads the last ones again, or is causal. The first turn warms up and does not count. The clients run on
the same machine, in this process, and take their share of it.

    python -m benchmarks.streams
    python -m benchmarks.streams --clients 1 200 --seconds 60 --repeats 1
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks import report
from benchmarks.serving import PATIENCE, PERCENTILES, Load, bodies, load_parser, service
from sdt.evaluation.table import plain_table

Said = Sequence[dict[str, Any]]
"""The utterances of a conversation."""


@dataclass
class Measured:
    """The turns that count, by number of clients, and the service itself."""

    start: float
    """Seconds from its start until it was ready."""
    memory: int = 0
    """Bytes that it took at the end."""
    turns: dict[int, list[Load]] = field(default_factory=dict)

    def waited(self, clients: int) -> list[float]:
        """Milliseconds of all answers of all turns."""
        return [1000 * seconds for turn in self.turns[clients] for seconds in turn.waited]

    def speed(self, clients: int) -> list[float]:
        """Utterances per second, turn by turn."""
        return [turn.utterances / turn.seconds for turn in self.turns[clients]]

    def lost(self, clients: int) -> int:
        """Utterances that were not answered, in all turns."""
        return sum(turn.lost for turn in self.turns[clients])


def conversations(count: int) -> list[Said]:
    """What is said: the built-in corpus' conversations."""
    return [json.loads(body)["utterances"] for body, _ in bodies(count)]


async def load(port: int, said: Sequence[Said], clients: int, seconds: float) -> Load:
    """Speak with so many clients for so long."""
    seen = Load()
    begun = time.perf_counter()
    until = begun + seconds
    await asyncio.gather(*(_client(port, said, number, until, seen) for number in range(clients)))
    seen.seconds = time.perf_counter() - begun
    return seen


async def _client(port: int, said: Sequence[Said], number: int, until: float, seen: Load) -> None:
    """One client; it begins another conversation where it loses the connection."""
    turn = number * 7919  # so that clients do not say the same at the same time
    while time.perf_counter() < until:
        try:
            async with asyncio.timeout(PATIENCE + until - time.perf_counter()):
                async with connect(f"ws://127.0.0.1:{port}/v1/stream", proxy=None) as line:
                    await line.recv()
                    while time.perf_counter() < until:
                        for utterance in said[turn % len(said)]:
                            begun = time.perf_counter()
                            await line.send(json.dumps({"type": "utterance", **utterance}))
                            if json.loads(await line.recv())["type"] != "prediction":
                                seen.lost += 1
                                continue
                            seen.waited.append(time.perf_counter() - begun)
                            seen.utterances += 1
                        turn += 1
        except (OSError, WebSocketException, TimeoutError):
            seen.lost += 1


def measure(port: int, start: float, clients: Sequence[int], seconds: float, repeats: int) -> Measured:
    """Speak to a service in turns."""
    said = conversations(200)
    measured = Measured(start, turns={count: [] for count in clients})
    for turn in report.turns(repeats + 1, "streams"):
        for count in clients:
            seen = asyncio.run(load(port, said, count, seconds if turn else min(seconds, 2.0)))
            if turn:
                measured.turns[count].append(seen)
    measured.memory = memory(port)
    return measured


def memory(port: int) -> int:
    """Resident bytes of a service, as it says itself; 0 where it cannot."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = re.search(r"^process_resident_memory_bytes (\S+)$", answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def until_ready(port: int) -> None:
    """Wait until a service answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except OSError:
            time.sleep(0.01)


def results(measured: Measured) -> dict[str, Any]:
    """For the JSON file."""
    clients = {
        str(count): {
            "utterances_per_second": report.spread(measured.speed(count)),
            "milliseconds": {str(q): float(np.percentile(measured.waited(count), q)) for q in PERCENTILES},
            "answers": sum(len(turn.waited) for turn in turns),
            "lost": measured.lost(count),
        }
        for count, turns in measured.turns.items()
    }
    return {"start_seconds": measured.start, "resident_bytes": measured.memory, "clients": clients}


def show(measured: Measured, note: str) -> None:
    """Print the table."""
    table = plain_table("streams", "utterances/s", *(f"{q} %, ms" for q in PERCENTILES), "lost")
    for count in measured.turns:
        waits = [f"{np.percentile(measured.waited(count), q):,.0f}" for q in PERCENTILES]
        table.add_row(str(count), report.shown(measured.speed(count), 1), *waits, str(measured.lost(count)))
    console = report.console()
    console.print(table)
    turns = len(next(iter(measured.turns.values())))
    console.print(f"median (lowest-highest) of {turns} turns; percentiles: of all answers")
    console.print(f"ready after {measured.start:.1f} s; {measured.memory / 2**20:,.0f} MiB at the end\n{note}")


def main() -> None:
    """Measure, print, write."""
    options = load_parser(__doc__).parse_args()
    where = report.machine(options.threads)
    begun = time.perf_counter()
    with service(options.model, ["--streams", "10000"]) as port:
        until_ready(port)
        start = time.perf_counter() - begun
        measured = measure(port, start, options.clients, options.seconds, options.repeats)
    show(measured, report.caption(where))
    found = {"model": options.model, "seconds": options.seconds, **results(measured)}
    report.write_json(options.output or report.PLACE / "streams.json", "streams", where, found)


if __name__ == "__main__":
    report.run(main)
