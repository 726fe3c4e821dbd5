"""The HTTP service under load: throughput and latency with and without batching of requests.

Two services with the same model are started: one with the defaults of `sdt serve`, and one without batching. In every
round, both serve the same number of clients for the same time; a client sends its next conversation when it has the
response to the last one. The first round is a warm-up. The clients run on the same machine, in this process.

    python -m benchmarks.serving
    python -m benchmarks.serving --clients 1 200 --seconds 60 --repeats 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.workers import ENVIRONMENT
from sdt.errors import InputError
from sdt.evaluation.table import plain_table
from sdt.models.hub import DEFAULT
from sdt.puppets.generate import generate

SERVICES: dict[str, list[str]] = {"together": [], "alone": ["--batch-utterances", "1", "--batch-wait-ms", "0"]}
"""The services and their options."""
PERCENTILES = (50, 95, 99)
TIMEOUT = 120.0
"""Seconds after which an answer counts as lost."""


@dataclass
class Load:
    """Load on one service in one round."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)
    """Response times in seconds."""
    utterances: int = 0
    """Predicted utterances."""
    lost: int = 0
    """Requests without a prediction."""


def request_bodies(conversations: int) -> list[tuple[bytes, int]]:
    """Request bodies with their numbers of utterances: conversations of the built-in corpus."""
    found = []
    for scene in generate(0, conversations):
        utterances = [{"speaker": u.speaker, "text": u.text} for u in scene.conversation.utterances]
        found.append((json.dumps({"utterances": utterances}).encode(), len(utterances)))
    return found


@contextlib.contextmanager
def start_service(model: str, options: Sequence[str]) -> Iterator[int]:
    """Start a service in a separate process; yields its port."""
    with start_process(model, options) as (port, _):
        yield port


@contextlib.contextmanager
def start_process(model: str, options: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start a service in a separate process; yields its port and process id."""
    command = [sys.executable, "-m", "sdt", "serve", "--model", model, "--port", "0", "--concurrent", "10000", *options]
    environment = {**ENVIRONMENT, **os.environ}
    environment.pop("SDT_TOKEN", None)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout
            found = re.search(r":(\d+) ", process.stdout.readline())
            if not found:
                raise InputError(f"the service did not start: {' '.join(command)}")
            yield int(found[1]), process.pid
        finally:
            process.terminate()


async def load(port: int, requests: Sequence[tuple[bytes, int]], clients: int, seconds: float) -> Load:
    """Load a service with concurrent clients for some seconds."""
    seen = Load()
    begun = time.perf_counter()
    until = begun + seconds
    await asyncio.gather(*(_client(port, requests, number, until, seen) for number in range(clients)))
    seen.seconds = time.perf_counter() - begun
    return seen


async def _client(port: int, requests: Sequence[tuple[bytes, int]], number: int, until: float, seen: Load) -> None:
    """One client on one connection, which it reopens if it is closed."""
    request = number * 7919  # clients start with different requests
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            seen.lost += 1
            continue
        try:
            while time.perf_counter() < until:
                body, size = requests[request % len(requests)]
                request += 1
                begun = time.perf_counter()
                async with asyncio.timeout(TIMEOUT):
                    received = await _send(reader, writer, body)
                if received != size:
                    seen.lost += 1
                    continue
                seen.waited.append(time.perf_counter() - begun)
                seen.utterances += size
        except (OSError, EOFError, ValueError, TimeoutError):
            seen.lost += 1
        finally:
            writer.close()


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """Send a conversation and return the number of predictions in the response, or -1 for an error."""
    head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    response = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = re.search(r"content-length: (\d+)", response)
    answer = await reader.readexactly(int(length[1]) if length else 0)
    return answer.count(b'"emotion":') if response.startswith("http/1.1 200") else -1


@dataclass
class Measurements:
    """Loads of the rounds, by number of clients and service."""

    rounds: dict[int, dict[str, list[Load]]] = field(default_factory=dict)

    def waited(self, clients: int, name: str) -> list[float]:
        """Response times of all rounds in milliseconds."""
        return [1000 * seconds for load in self.rounds[clients][name] for seconds in load.waited]

    def speed(self, clients: int, name: str) -> list[float]:
        """Conversations per second, by round."""
        return [len(load.waited) / load.seconds for load in self.rounds[clients][name]]

    def gain(self, clients: int) -> list[float]:
        """Throughput with batching divided by that without, by round."""
        pairs = zip(self.speed(clients, "together"), self.speed(clients, "alone"), strict=True)
        return [one / other for one, other in pairs]

    def lost(self, clients: int, name: str) -> int:
        """Requests without a prediction in all rounds."""
        return sum(load.lost for load in self.rounds[clients][name])


def measure(ports: Mapping[str, int], clients: Sequence[int], seconds: float, repeats: int, seed: int) -> Measurements:
    """Load the services in alternation."""
    requests = request_bodies(200)
    np.random.default_rng(seed).shuffle(requests)
    measured = Measurements({count: {name: [] for name in ports} for count in clients})
    for index in report.rounds(repeats + 1, "serving"):
        for count in clients:
            for name, port in ports.items():
                seen = asyncio.run(load(port, requests, count, seconds if index else min(seconds, 2.0)))
                if index:
                    measured.rounds[count][name].append(seen)
    return measured


def results(measured: Measurements) -> dict[str, Any]:
    """Values for the JSON file."""
    return {
        "clients": {
            str(clients): {
                "services": {
                    name: {
                        "conversations_per_second": report.spread(measured.speed(clients, name)),
                        "utterances_per_second": report.spread([load.utterances / load.seconds for load in loads]),
                        "milliseconds": {
                            str(q): float(np.percentile(measured.waited(clients, name), q)) for q in PERCENTILES
                        },
                        "answers": sum(len(load.waited) for load in loads),
                        "lost": measured.lost(clients, name),
                    }
                    for name, loads in of.items()
                },
                "together_times_faster": report.spread(measured.gain(clients)),
            }
            for clients, of in measured.rounds.items()
        }
    }


def show(measured: Measurements, note: str) -> None:
    """Print the results."""
    table = plain_table("clients", "", "conversations/s", *(f"{q} %, ms" for q in PERCENTILES), "lost", "gain")
    for clients, of in measured.rounds.items():
        for name in of:
            waits = [f"{np.percentile(measured.waited(clients, name), q):,.0f}" for q in PERCENTILES]
            gain = report.median_range(measured.gain(clients), 2) if name == "together" else ""
            speed = report.median_range(measured.speed(clients, name), 1)
            table.add_row(str(clients), name, speed, *waits, str(measured.lost(clients, name)), gain)
    console = report.console()
    console.print(table)
    rounds = len(next(iter(next(iter(measured.rounds.values())).values())))
    console.print(f"median (min-max) of {rounds} rounds; percentiles of all responses\n{note}")


def main() -> None:
    """Run the benchmark."""
    options = load_parser(__doc__).parse_args()
    where = report.machine(options.threads)
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(start_service(options.model, more)) for name, more in SERVICES.items()}
        measured = measure(ports, options.clients, options.seconds, options.repeats, options.seed)
    show(measured, report.caption(where))
    found = {"model": options.model, "seconds": options.seconds, **results(measured)}
    report.write_json(options.output or report.FOLDER / "serving.json", "serving", where, found)


def load_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options of benchmarks that load a service."""
    parser = report.parser(description, repeats=3)
    parser.add_argument("--model", default=DEFAULT, help="default: %(default)s")
    parser.add_argument(
        "--clients", type=report.positive, nargs="+", default=[1, 8, 64, 200], help="concurrent clients"
    )
    parser.add_argument("--seconds", type=positive_seconds, default=10.0, help="of a round; default: %(default)s")
    return parser


def positive_seconds(text: str) -> float:
    """Parse an option that is a positive number of seconds."""
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return seconds


if __name__ == "__main__":
    report.run(main)
