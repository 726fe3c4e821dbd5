"""The HTTP service under hostile requests: whether it still answers others, and how much memory it takes.

A service is started as `sdt serve` is. Clients send it requests of every kind of `hostile_bodies`, as long as its
limits allow, while another process asks `/healthz` again and again, with a new connection each time. At the end an
ordinary request must be answered as at the beginning. All of it runs on the same machine; a busy one delays the
answers, too.

    python -m benchmarks.hostile_requests
    python -m benchmarks.hostile_requests --requests 20000 --clients 32 --seed 1
"""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from benchmarks import report
from benchmarks.hostile_bodies import MIB, Hostile, drawn, head, said
from benchmarks.serving import PERCENTILES, started
from sdt.evaluation.table import plain_table
from sdt.models.hub import DEFAULT

PATIENCE = 130.0
"""Seconds after which an answer counts as lost; the service gives up earlier."""
EVERY = 0.02
"""Seconds between two questions after `/healthz`, and between two looks at the memory."""
CUT = "cut"
"""What is counted where the connection ends without an answer: HTTP says so of heads that are none."""
HELLO = json.dumps({"utterances": [{"speaker": "Ann", "text": "I got the job!"}]}).encode()


@dataclass
class Seen:
    """What was seen of one kind of request."""

    answers: Counter[str] = field(default_factory=Counter)
    """How often each status and code was answered."""
    seconds: float = 0.0
    """The longest wait for an answer."""


@dataclass
class Measured:
    """What was seen of the service."""

    kinds: dict[str, Seen]
    health: list[float]
    """Seconds of every answer of `/healthz`."""
    lost: int
    """Questions after `/healthz` that were not answered with 200."""
    memory: tuple[int, int, int]
    """Bytes of the service and its processes at the start, at most, and at the end."""
    seconds: float


def measure(model: str, count: int, most: int, clients: int, seed: int) -> Measured:
    """Start a service and send it hostile requests.

    Raises:
        RuntimeError: It does not answer an ordinary request at the end as at the beginning.
    """
    with started(model, []) as (port, process):
        while not listens(port):
            time.sleep(EVERY)
        before = ask(port, HELLO)
        ours, theirs = multiprocessing.Pipe()
        watch = multiprocessing.get_context("spawn").Process(target=_watch, args=(port, process, theirs), daemon=True)
        watch.start()
        start = int(ours.recv())
        begun = time.perf_counter()
        kinds = asyncio.run(_send(port, drawn(count, most, seed), count, clients))
        seconds = time.perf_counter() - begun
        ours.send("stop")
        health, lost, highest, end = ours.recv()
        watch.join()
        if ask(port, HELLO) != before:
            raise RuntimeError("the service does not answer as it did before")
        return Measured(kinds, health, lost, (start, highest, end), seconds)


def listens(port: int) -> bool:
    """Whether connections are taken."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, body: bytes) -> bytes:
    """The answer to an ordinary request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()


def memory(process: int) -> int:
    """Resident bytes of a process and those that it has started."""
    total = 0
    for number in (process, *_children(process)):
        found = re.search(r"VmRSS:\s+(\d+) kB", _read(f"/proc/{number}/status"))
        total += 1024 * int(found[1]) if found else 0
    return total


def _children(process: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        yield from map(int, _read(str(tasks)).split())


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""  # it has ended


def _watch(port: int, process: int, pipe: Connection) -> None:
    """Ask `/healthz` and look at the memory until told to stop; each question has a connection of its own."""
    start = highest = memory(process)
    pipe.send(start)
    health, lost = [], 0
    while not pipe.poll(EVERY):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/healthz")
            lost += connection.getresponse().status != 200
        except OSError:
            lost += 1
        finally:
            connection.close()
        health.append(time.perf_counter() - begun)
        highest = max(highest, memory(process))
    time.sleep(2)
    pipe.send((health, lost, highest, memory(process)))


async def _send(port: int, requests: Iterator[tuple[str, Hostile]], count: int, clients: int) -> dict[str, Seen]:
    """Send all requests, so many at a time."""
    kinds: dict[str, Seen] = {}
    left = iter(track(requests, "hostile requests", total=count, console=Console(stderr=True), transient=True))

    async def client() -> None:
        for kind, request in left:
            begun = time.perf_counter()
            answer = await answered(port, request)
            of = kinds.setdefault(kind, Seen())
            of.answers[answer] += 1
            of.seconds = max(of.seconds, time.perf_counter() - begun)

    await asyncio.gather(*(client() for _ in range(clients)))
    return kinds


async def answered(port: int, request: Hostile) -> str:
    """Send a request; the status and the code of its answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await (_message(port, request) if request.is_message else _http(port, request))
    except TimeoutError:
        return "lost"
    except (OSError, EOFError, WebSocketException):
        return CUT


async def _http(port: int, request: Hostile) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sending = asyncio.create_task(_written(writer, request, port))
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", lines, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return f"{lines.split()[1]} {said(body)}"
    finally:
        writer.close()


async def _written(writer: asyncio.StreamWriter, request: Hostile, port: int) -> None:
    writer.write(head(request, port) + request.body)
    await writer.drain()


async def _message(port: int, request: Hostile) -> str:
    async with connect(f"ws://127.0.0.1:{port}/v1/stream", proxy=None, max_size=None) as line:
        await line.recv()
        try:
            size = max(1, -(-len(request.body) // request.fragments))
            parts = (request.body[k : k + size] for k in range(0, len(request.body), size))
            await line.send((part.decode() for part in parts) if request.fragments > 1 else request.body.decode())
            answer = json.loads(await line.recv())
        except ConnectionClosed as closed:
            return f"closed {closed.rcvd.code if closed.rcvd else '-'}"
        return f"{answer['type']} {said(json.dumps(answer).encode())}"


def results(measured: Measured) -> dict[str, Any]:
    """For the JSON file."""
    start, highest, end = measured.memory
    return {
        "requests": sum(sum(of.answers.values()) for of in measured.kinds.values()),
        "seconds": measured.seconds,
        "healthz": {
            "answers": len(measured.health),
            "not_answered": measured.lost,
            "milliseconds": {str(q): 1000 * float(np.percentile(measured.health, q)) for q in (*PERCENTILES, 100)},
        },
        "bytes": {"start": start, "most": highest, "end": end},
        "kinds": {
            kind: {"answers": dict(of.answers), "seconds": of.seconds} for kind, of in sorted(measured.kinds.items())
        },
    }


def show(measured: Measured, note: str) -> None:
    """Print the tables."""
    table = plain_table("requests", "answered", "longest, s")
    for kind, of in sorted(measured.kinds.items()):
        answers = ", ".join(f"{count} x {answer}" for answer, count in of.answers.most_common())
        table.add_row(kind, answers, f"{of.seconds:.2f}")
    found = results(measured)
    health, memory_ = found["healthz"], found["bytes"]
    console = report.console()
    console.print(table)
    waits = ", ".join(f"{q} %: {ms:,.0f}" for q, ms in health["milliseconds"].items())
    console.print(
        f"{found['requests']:,} requests in {measured.seconds:,.0f} s\n"
        f"/healthz, {health['answers']:,} answers, {health['not_answered']} lost; ms: {waits}\n"
        f"memory, MiB: {memory_['start'] / MIB:,.0f} at the start, at most {memory_['most'] / MIB:,.0f}, "
        f"{memory_['end'] / MIB:,.0f} at the end\n{note}",
        soft_wrap=True,
    )


def main() -> None:
    """Measure, print, write."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--model", default=DEFAULT, help="default: %(default)s")
    parser.add_argument("--requests", type=report.positive, default=1000, help="default: %(default)s")
    parser.add_argument("--clients", type=report.positive, default=8, help="at a time; default: %(default)s")
    parser.add_argument("--bytes", type=report.positive, default=16 * MIB, help="of the longest; default: %(default)s")
    options = parser.parse_args()
    where = report.machine(options.threads)
    measured = measure(options.model, options.requests, options.bytes, options.clients, options.seed)
    show(measured, report.caption(where))
    found = {"model": options.model, "clients": options.clients, "seed": options.seed, **results(measured)}
    report.write_json(options.output or report.PLACE / "hostile_requests.json", "hostile_requests", where, found)


if __name__ == "__main__":
    report.run(main)
