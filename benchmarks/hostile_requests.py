"""The HTTP service under hostile requests: its availability to other clients, and its memory.

The service runs with the defaults of `sdt serve`. Clients send all kinds of requests of `hostile_bodies`, up to the
limits, while another process polls `/healthz` with a new connection each time. After that, the service must answer an
ordinary request as before. Everything runs on one machine, so other load delays the answers too.

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
from benchmarks.hostile_bodies import MIB, HostileRequest, draw_requests, error_code, head
from benchmarks.serving import PERCENTILES, start_process
from sdt.evaluation.table import plain_table
from sdt.models.hub import DEFAULT

TIMEOUT = 130.0
"""Seconds after which an answer counts as lost; longer than the timeouts of the service."""
INTERVAL = 0.02
"""Seconds between polls of `/healthz` and of the memory."""
CUT = "cut"
"""The result if the connection is closed without a response, as HTTP servers do for malformed headers."""
HELLO = json.dumps({"utterances": [{"speaker": "Ann", "text": "I got the job!"}]}).encode()


@dataclass
class KindResult:
    """Results of one kind of request."""

    answers: Counter[str] = field(default_factory=Counter)
    """Counts of statuses and error codes."""
    seconds: float = 0.0
    """The longest response time."""


@dataclass
class Measurements:
    """Results."""

    kinds: dict[str, KindResult]
    health: list[float]
    """Response times of `/healthz` in seconds."""
    lost: int
    """Polls of `/healthz` without status 200."""
    memory: tuple[int, int, int]
    """Bytes of the service and its child processes: at the start, the maximum, and at the end."""
    seconds: float


def measure(model: str, count: int, max_bytes: int, clients: int, seed: int) -> Measurements:
    """Start a service and send it hostile requests.

    Raises:
        RuntimeError: The service does not answer an ordinary request as before.
    """
    with start_process(model, []) as (port, process):
        while not listens(port):
            time.sleep(INTERVAL)
        before = ask(port, HELLO)
        ours, theirs = multiprocessing.Pipe()
        watch = multiprocessing.get_context("spawn").Process(target=_watch, args=(port, process, theirs), daemon=True)
        watch.start()
        start = int(ours.recv())
        begun = time.perf_counter()
        kinds = asyncio.run(_send(port, draw_requests(count, max_bytes, seed), count, clients))
        seconds = time.perf_counter() - begun
        ours.send("stop")
        health, lost, highest, end = ours.recv()
        watch.join()
        if ask(port, HELLO) != before:
            raise RuntimeError("the service does not answer as it did before")
        return Measurements(kinds, health, lost, (start, highest, end), seconds)


def listens(port: int) -> bool:
    """Whether the port accepts connections."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, body: bytes) -> bytes:
    """Send an ordinary request and return the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()


def memory(process: int) -> int:
    """Resident bytes of a process and its children."""
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
        return ""  # the process has ended


def _watch(port: int, process: int, pipe: Connection) -> None:
    """Poll `/healthz` with new connections, and the memory, until a message arrives."""
    start = highest = memory(process)
    pipe.send(start)
    health, lost = [], 0
    while not pipe.poll(INTERVAL):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
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


async def _send(
    port: int, requests: Iterator[tuple[str, HostileRequest]], count: int, clients: int
) -> dict[str, KindResult]:
    """Send all requests with concurrent clients."""
    kinds: dict[str, KindResult] = {}
    left = iter(track(requests, "hostile requests", total=count, console=Console(stderr=True), transient=True))

    async def client() -> None:
        for kind, request in left:
            begun = time.perf_counter()
            answer = await send_request(port, request)
            of = kinds.setdefault(kind, KindResult())
            of.answers[answer] += 1
            of.seconds = max(of.seconds, time.perf_counter() - begun)

    await asyncio.gather(*(client() for _ in range(clients)))
    return kinds


async def send_request(port: int, request: HostileRequest) -> str:
    """Send a request and return the status and the error code."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await (_message(port, request) if request.is_message else _http(port, request))
    except TimeoutError:
        return "lost"
    except (OSError, EOFError, WebSocketException):
        return CUT


async def _http(port: int, request: HostileRequest) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sending = asyncio.create_task(_write(writer, request, port))
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", lines, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return f"{lines.split()[1]} {error_code(body)}"
    finally:
        writer.close()


async def _write(writer: asyncio.StreamWriter, request: HostileRequest, port: int) -> None:
    writer.write(head(request, port) + request.body)
    await writer.drain()


async def _message(port: int, request: HostileRequest) -> str:
    async with connect(f"ws://127.0.0.1:{port}/v1/stream", proxy=None, max_size=None) as line:
        await line.recv()
        try:
            size = max(1, -(-len(request.body) // request.fragments))
            parts = (request.body[k : k + size] for k in range(0, len(request.body), size))
            await line.send((part.decode() for part in parts) if request.fragments > 1 else request.body.decode())
            answer = json.loads(await line.recv())
        except ConnectionClosed as closed:
            return f"closed {closed.rcvd.code if closed.rcvd else '-'}"
        return f"{answer['type']} {error_code(json.dumps(answer).encode())}"


def results(measured: Measurements) -> dict[str, Any]:
    """Values for the JSON file."""
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


def show(measured: Measurements, note: str) -> None:
    """Print the results."""
    table = plain_table("requests", "responses", "longest, s")
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
        f"memory, MiB: {memory_['start'] / MIB:,.0f} at the start, maximum {memory_['most'] / MIB:,.0f}, "
        f"{memory_['end'] / MIB:,.0f} at the end\n{note}",
        soft_wrap=True,
    )


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--model", default=DEFAULT, help="default: %(default)s")
    parser.add_argument("--requests", type=report.positive, default=1000, help="default: %(default)s")
    parser.add_argument("--clients", type=report.positive, default=8, help="concurrent clients; default: %(default)s")
    parser.add_argument(
        "--bytes", type=report.positive, default=16 * MIB, help="of the largest body; default: %(default)s"
    )
    options = parser.parse_args()
    where = report.machine(options.threads)
    measured = measure(options.model, options.requests, options.bytes, options.clients, options.seed)
    show(measured, report.caption(where))
    found = {"model": options.model, "clients": options.clients, "seed": options.seed, **results(measured)}
    report.write_json(options.output or report.FOLDER / "hostile_requests.json", "hostile_requests", where, found)


if __name__ == "__main__":
    report.run(main)
