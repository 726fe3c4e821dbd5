"""A real service in a process of its own, and a client that says exactly what goes over the line."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.forks import ENVIRONMENT, Fork, fork
from tests.guard import guard

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a service that SIGTERM has stopped."""
START = 120.0
"""Seconds to wait for a service on a busy machine."""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    process: Fork | subprocess.Popen[str]
    port: int
    temporary: Path
    """Where the service's temporary files would be."""
    errors: list[str] = field(default_factory=list)

    def connect(self, seconds: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, value: object, path: str = "/v1/predict", **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.ask("POST", path, body, {"content-type": "application/json", **named})

    def post_parts(self, *parts: tuple[str, str | None, bytes], path: str = "/v1/predict", **headers: str) -> Answer:
        body, kind = multipart(parts)
        return self.ask("POST", path, body, {"content-type": kind, **headers})

    def until_running(self, requests: int) -> None:
        """Until so many requests for predictions are inside."""
        until = time.monotonic() + START
        while f"sdt_requests_running {requests}.0\n" not in self.ask("GET", "/metrics").body.decode():
            assert time.monotonic() < until
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def log(self) -> str:
        return "".join(self.errors)

    def rss(self) -> int:
        """Resident bytes."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return 1024 * int(found[1])

    def left(self) -> list[str]:
        """What of uploads is on the disk under a name."""
        return sorted(str(path) for path in self.temporary.rglob("*"))


def multipart(parts: Sequence[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """(name, file name, content) of each part to a body and its content type."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, file, content in parts:
        named = "" if file is None else f'; filename="{file}"'
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextmanager
def running(
    model: Path | str,
    temporary: Path,
    *options: str,
    forked: bool = True,
    transcriber: str = "none",
    **environment: str,
) -> Iterator[Running]:
    """A service on a free port of this machine; it is stopped at the end."""
    temporary.mkdir(parents=True, exist_ok=True)
    words = ["serve", "--model", str(model), "--port", "0", "--device", "cpu", "--transcriber", transcriber]
    words += options
    env, pipe = {**ENVIRONMENT, "TMPDIR": str(temporary), **environment}, subprocess.PIPE
    process: Fork | subprocess.Popen[str]
    if forked and transcriber == "none":  # a fork does not see the packages of its PYTHONPATH
        process = fork("sdt", words, env)
    else:
        process = subprocess.Popen([sys.executable, "-m", "sdt", *words], env=env, stdout=pipe, stderr=pipe, text=True)
    guard(process, temporary)
    assert process.stdout
    service = Running(process, 0, temporary)
    reader = threading.Thread(target=_read, args=(service,), daemon=True)
    reader.start()
    try:
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, f"{said}{service.log()}"
        service.port = int(found[1])
        until = time.monotonic() + START
        while time.monotonic() < until:
            try:
                if service.ask("GET", "/readyz").status == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(10)
        process.stdout.close()
        if process.stdin:
            process.stdin.close()


def _read(service: Running) -> None:
    assert service.process.stderr
    with service.process.stderr as stream:
        for line in stream:
            service.errors.append(line)
