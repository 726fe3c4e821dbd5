"""Streams of the HTTP service under load: latency and throughput of utterances.

In every round, concurrent clients send utterances of separate conversations for some seconds, each when it has the
prediction of the last one. The cost of an utterance does not grow with a conversation of a few hundred utterances,
because the model recomputes only the last ones, or is causal. The first round is a warm-up. The clients run on the same
machine, in this process.

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
from benchmarks.serving import PERCENTILES, TIMEOUT, Load, load_parser, request_bodies, start_service
from sdt.evaluation.table import plain_table

Utterances = Sequence[dict[str, Any]]
"""The utterances of a conversation."""


@dataclass
class Measurements:
    """Loads of the rounds by number of clients, and values of the service."""

    start: float
    """Seconds from the start of the service until it was ready."""
    memory: int = 0
    """Resident bytes of the service at the end."""
    rounds: dict[int, list[Load]] = field(default_factory=dict)

    def waited(self, clients: int) -> list[float]:
        """Response times of all rounds in milliseconds."""
        return [1000 * seconds for load in self.rounds[clients] for seconds in load.waited]

    def speed(self, clients: int) -> list[float]:
        """Utterances per second, by round."""
        return [load.utterances / load.seconds for load in self.rounds[clients]]

    def lost(self, clients: int) -> int:
        """Utterances without a prediction in all rounds."""
        return sum(load.lost for load in self.rounds[clients])


def conversations(count: int) -> list[Utterances]:
    """Conversations of the built-in corpus."""
    return [json.loads(body)["utterances"] for body, _ in request_bodies(count)]


async def load(port: int, talks: Sequence[Utterances], clients: int, seconds: float) -> Load:
    """Load a service with concurrent streams for some seconds."""
    seen = Load()
    begun = time.perf_counter()
    until = begun + seconds
    await asyncio.gather(*(_client(port, talks, number, until, seen) for number in range(clients)))
    seen.seconds = time.perf_counter() - begun
    return seen


async def _client(port: int, talks: Sequence[Utterances], number: int, until: float, seen: Load) -> None:
    """One client; if the connection is closed, it starts another conversation."""
    place = number * 7919  # clients start with different conversations
    while time.perf_counter() < until:
        try:
            async with asyncio.timeout(TIMEOUT + until - time.perf_counter()):
                async with connect(f"ws://127.0.0.1:{port}/v1/stream", proxy=None) as line:
                    await line.recv()
                    while time.perf_counter() < until:
                        for utterance in talks[place % len(talks)]:
                            begun = time.perf_counter()
                            await line.send(json.dumps({"type": "utterance", **utterance}))
                            if json.loads(await line.recv())["type"] != "prediction":
                                seen.lost += 1
                                continue
                            seen.waited.append(time.perf_counter() - begun)
                            seen.utterances += 1
                        place += 1
        except (OSError, WebSocketException, TimeoutError):
            seen.lost += 1


def measure(port: int, start: float, clients: Sequence[int], seconds: float, repeats: int) -> Measurements:
    """Load a service with each number of clients, in alternation."""
    talks = conversations(200)
    measured = Measurements(start, rounds={count: [] for count in clients})
    for index in report.rounds(repeats + 1, "streams"):
        for count in clients:
            seen = asyncio.run(load(port, talks, count, seconds if index else min(seconds, 2.0)))
            if index:
                measured.rounds[count].append(seen)
    measured.memory = memory(port)
    return measured


def memory(port: int) -> int:
    """Resident bytes of a service from its metrics; 0 if the metric is absent."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = re.search(r"^process_resident_memory_bytes (\S+)$", answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def until_ready(port: int) -> None:
    """Wait until a service is ready."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except OSError:
            time.sleep(0.01)


def results(measured: Measurements) -> dict[str, Any]:
    """Values for the JSON file."""
    clients = {
        str(count): {
            "utterances_per_second": report.spread(measured.speed(count)),
            "milliseconds": {str(q): float(np.percentile(measured.waited(count), q)) for q in PERCENTILES},
            "answers": sum(len(load.waited) for load in loads),
            "lost": measured.lost(count),
        }
        for count, loads in measured.rounds.items()
    }
    return {"start_seconds": measured.start, "resident_bytes": measured.memory, "clients": clients}


def show(measured: Measurements, note: str) -> None:
    """Print the results."""
    table = plain_table("streams", "utterances/s", *(f"{q} %, ms" for q in PERCENTILES), "lost")
    for count in measured.rounds:
        waits = [f"{np.percentile(measured.waited(count), q):,.0f}" for q in PERCENTILES]
        table.add_row(str(count), report.median_range(measured.speed(count), 1), *waits, str(measured.lost(count)))
    console = report.console()
    console.print(table)
    rounds = len(next(iter(measured.rounds.values())))
    console.print(f"median (min-max) of {rounds} rounds; percentiles of all responses")
    console.print(f"ready after {measured.start:.1f} s; {measured.memory / 2**20:,.0f} MiB at the end\n{note}")


def main() -> None:
    """Run the benchmark."""
    options = load_parser(__doc__).parse_args()
    where = report.machine(options.threads)
    begun = time.perf_counter()
    with start_service(options.model, ["--streams", "10000"]) as port:
        until_ready(port)
        start = time.perf_counter() - begun
        measured = measure(port, start, options.clients, options.seconds, options.repeats)
    show(measured, report.caption(where))
    found = {"model": options.model, "seconds": options.seconds, **results(measured)}
    report.write_json(options.output or report.FOLDER / "streams.json", "streams", where, found)


if __name__ == "__main__":
    report.run(main)
