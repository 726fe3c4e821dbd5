"""The HTTP service under load: throughput and latency with requests that run together, and with each alone.

Two services of the same model are started, one as `sdt serve` is, one that runs every conversation by itself. In every
turn each is asked by the same number of clients for the same time; a client sends its next conversation as soon as it
has the answer to its last. The first turn warms up and does not count. The clients run on the same machine, in this
process, and take their share of it.

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
"""The contenders and their options."""
PERCENTILES = (50, 95, 99)
PATIENCE = 120.0
"""Seconds after which an answer counts as lost."""


@dataclass
class Load:
    """What clients saw of one service in one turn."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)
    """Seconds of every answer."""
    utterances: int = 0
    """Of the answers."""
    lost: int = 0
    """Requests with no answer, or one that is no prediction."""


def bodies(conversations: int) -> list[tuple[bytes, int]]:
    """Requests, with their numbers of utterances: the built-in corpus' conversations."""
    found = []
    for scene in generate(0, conversations):
        said = [{"speaker": u.speaker, "text": u.text} for u in scene.conversation.utterances]
        found.append((json.dumps({"utterances": said}).encode(), len(said)))
    return found


@contextlib.contextmanager
def service(model: str, options: Sequence[str]) -> Iterator[int]:
    """A service in a process of its own; its port."""
    with started(model, options) as (port, _):
        yield port


@contextlib.contextmanager
def started(model: str, options: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The same; its port and its process."""
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
    """Ask a service with so many clients for so long."""
    seen = Load()
    begun = time.perf_counter()
    until = begun + seconds
    await asyncio.gather(*(_client(port, requests, number, until, seen) for number in range(clients)))
    seen.seconds = time.perf_counter() - begun
    return seen


async def _client(port: int, requests: Sequence[tuple[bytes, int]], number: int, until: float, seen: Load) -> None:
    """One client on one connection, which it opens again where it is lost."""
    turn = number * 7919  # so that clients do not send the same at the same time
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            seen.lost += 1
            continue
        try:
            while time.perf_counter() < until:
                body, size = requests[turn % len(requests)]
                turn += 1
                begun = time.perf_counter()
                async with asyncio.timeout(PATIENCE):
                    told = await _asked(reader, writer, body)
                if told != size:
                    seen.lost += 1
                    continue
                seen.waited.append(time.perf_counter() - begun)
                seen.utterances += size
        except (OSError, EOFError, ValueError, TimeoutError):
            seen.lost += 1
        finally:
            writer.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """Send a conversation; how many utterances the answer has, or -1 where it is none."""
    head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    said = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = re.search(r"content-length: (\d+)", said)
    answer = await reader.readexactly(int(length[1]) if length else 0)
    return answer.count(b'"emotion":') if said.startswith("http/1.1 200") else -1


@dataclass
class Measured:
    """The turns that count: by number of clients and service."""

    turns: dict[int, dict[str, list[Load]]] = field(default_factory=dict)

    def waited(self, clients: int, name: str) -> list[float]:
        """Milliseconds of all answers of all turns."""
        return [1000 * seconds for turn in self.turns[clients][name] for seconds in turn.waited]

    def speed(self, clients: int, name: str) -> list[float]:
        """Conversations per second, turn by turn."""
        return [len(turn.waited) / turn.seconds for turn in self.turns[clients][name]]

    def gain(self, clients: int) -> list[float]:
        """How many times more conversations per second run together than alone, turn by turn."""
        pairs = zip(self.speed(clients, "together"), self.speed(clients, "alone"), strict=True)
        return [one / other for one, other in pairs]

    def lost(self, clients: int, name: str) -> int:
        """Requests that were not answered, in all turns."""
        return sum(turn.lost for turn in self.turns[clients][name])


def measure(ports: Mapping[str, int], clients: Sequence[int], seconds: float, repeats: int, seed: int) -> Measured:
    """Ask the services in turn."""
    requests = bodies(200)
    np.random.default_rng(seed).shuffle(requests)
    measured = Measured({count: {name: [] for name in ports} for count in clients})
    for turn in report.turns(repeats + 1, "serving"):
        for count in clients:
            for name, port in ports.items():
                seen = asyncio.run(load(port, requests, count, seconds if turn else min(seconds, 2.0)))
                if turn:
                    measured.turns[count][name].append(seen)
    return measured


def results(measured: Measured) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "clients": {
            str(clients): {
                "services": {
                    name: {
                        "conversations_per_second": report.spread(measured.speed(clients, name)),
                        "utterances_per_second": report.spread([t.utterances / t.seconds for t in turns]),
                        "milliseconds": {
                            str(q): float(np.percentile(measured.waited(clients, name), q)) for q in PERCENTILES
                        },
                        "answers": sum(len(t.waited) for t in turns),
                        "lost": measured.lost(clients, name),
                    }
                    for name, turns in of.items()
                },
                "together_times_faster": report.spread(measured.gain(clients)),
            }
            for clients, of in measured.turns.items()
        }
    }


def show(measured: Measured, note: str) -> None:
    """Print the table."""
    table = plain_table("clients", "", "conversations/s", *(f"{q} %, ms" for q in PERCENTILES), "lost", "gain")
    for clients, of in measured.turns.items():
        for name in of:
            waits = [f"{np.percentile(measured.waited(clients, name), q):,.0f}" for q in PERCENTILES]
            gain = report.shown(measured.gain(clients), 2) if name == "together" else ""
            speed = report.shown(measured.speed(clients, name), 1)
            table.add_row(str(clients), name, speed, *waits, str(measured.lost(clients, name)), gain)
    console = report.console()
    console.print(table)
    turns = len(next(iter(next(iter(measured.turns.values())).values())))
    console.print(f"median (lowest-highest) of {turns} turns; percentiles: of all answers\n{note}")


def main() -> None:
    """Measure, print, write."""
    options = load_parser(__doc__).parse_args()
    where = report.machine(options.threads)
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(service(options.model, more)) for name, more in SERVICES.items()}
        measured = measure(ports, options.clients, options.seconds, options.repeats, options.seed)
    show(measured, report.caption(where))
    found = {"model": options.model, "seconds": options.seconds, **results(measured)}
    report.write_json(options.output or report.PLACE / "serving.json", "serving", where, found)


def load_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of a benchmark that loads a service."""
    parser = report.parser(description, repeats=3)
    parser.add_argument("--model", default=DEFAULT, help="default: %(default)s")
    parser.add_argument("--clients", type=report.positive, nargs="+", default=[1, 8, 64, 200], help="at a time")
    parser.add_argument("--seconds", type=_time_of_a_turn, default=10.0, help="of a turn; default: %(default)s")
    return parser


def _time_of_a_turn(text: str) -> float:
    """An option's seconds, more than 0."""
    seconds = float(text)
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no time")
    return seconds


if __name__ == "__main__":
    report.run(main)
