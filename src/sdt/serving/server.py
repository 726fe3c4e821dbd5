"""The server process: its socket, its log and its shutdown.

After SIGTERM or Ctrl-C, it finishes running requests and answers new ones with 503, which load balancers detect; then
it exits. A second signal ends it immediately.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import resource
import socket
import sys
import time
from types import FrameType

import uvicorn

from sdt.errors import InputError
from sdt.serving.limits import freeze_objects, switch_threads_often, unmap_large_blocks
from sdt.serving.routes import create_app
from sdt.serving.service import Service
from sdt.serving.websocket import websocket_protocol

POLL = 0.02
"""Seconds between checks for running requests while the service stops."""
LAST_ANSWERS = 2
"""Seconds to send the last responses."""


def bind(host: str, port: int) -> socket.socket:
    """Create a socket bound to an address.

    Raises:
        InputError: This machine does not have the address, or the port is in use.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        ours = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host}: not an address of this machine ({error})") from None
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        ours.bind(address)
    except OSError as error:
        ours.close()
        raise InputError(f"{host}:{port}: cannot listen ({error.strerror}); choose another --port") from None
    return ours


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_of(listening: socket.socket) -> str:
    """The URL of a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def browser_url(url: str) -> str:
    """A URL of the service that a browser on this machine can open, also if the service listens on all addresses.

    Example:
        >>> browser_url("http://0.0.0.0:8000")
        'http://127.0.0.1:8000'
    """
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def serve(service: Service, listening: socket.socket) -> int | None:
    """Serve until a signal.

    Returns:
        The signal; None if the server ended for another reason.
    """
    _log_to_stderr()
    _raise_file_limit()
    freeze_objects()
    unmap_large_blocks()
    switch_threads_often()
    server = _Server(uvicorn_config(service), service)
    server.run(sockets=[listening])
    return server.signal


def uvicorn_config(service: Service) -> uvicorn.Config:
    """The configuration of the server."""
    return uvicorn.Config(
        create_app(service),
        http="h11",
        ws=websocket_protocol(service.memory),  # type: ignore[arg-type]
        ws_max_size=service.config.json_bytes,
        ws_per_message_deflate=False,  # a small compressed message could become a large one
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=1024,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )


class _Server(uvicorn.Server):
    """Uvicorn with a graceful shutdown."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stop: asyncio.Task[None] | None = None
        self.signal: int | None = None
        """The first signal received."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what handlers are called with
        """Finish running requests at the first signal; exit at the second."""
        self.signal = self.signal or sig
        if self._service.limiter.stopping or not self.started:
            self.should_exit = self.force_exit = True
            return
        self._service.limiter.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: start the shutdown after a signal."""
        if self._service.limiter.stopping and self._stop is None:
            logging.getLogger("sdt.serving").info("stopping; %d requests are running", self._service.limiter.running)
            self._service.sessions.close_connections()
            self._stop = asyncio.create_task(self._shut_down())
        return await super().on_tick(counter)

    async def _shut_down(self) -> None:
        until = time.monotonic() + self._service.config.stop_seconds
        while self._service.running and time.monotonic() < until:
            await asyncio.sleep(POLL)
        self.should_exit = True


def _log_to_stderr() -> None:
    """Log messages of this package and errors of uvicorn; neither contains conversation content."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    levels = {"sdt.serving": logging.INFO, "uvicorn": logging.ERROR, "python_multipart": logging.ERROR}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def _raise_file_limit() -> None:
    """Allow as many open files and connections as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)) if hard > 0 else soft, hard))


def exit_now(code: int) -> None:
    """End the process even if threads are still running."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
