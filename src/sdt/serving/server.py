"""Running the service: the socket, the log, and how it stops.

On SIGTERM or Ctrl-C it goes on listening while what runs finishes, and answers new requests with 503, so that a
balancer hears it; then it ends. A second signal ends it at once.
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
from sdt.serving.app import Service, create_app
from sdt.serving.memory import freeze, give_back_at_once
from sdt.serving.websocket import counting

POLL = 0.02
"""Seconds between looks at what still runs, while the service stops."""
LAST_ANSWERS = 2
"""Seconds for answers that are on their way out."""


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address.

    Raises:
        InputError: There is no such address here, or someone else listens there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        ours = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host}: there is no such address here ({error})") from None
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        ours.bind(address)
    except OSError as error:
        ours.close()
        raise InputError(f"{host}:{port}: cannot listen there ({error.strerror}); give another --port") from None
    return ours


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(listening: socket.socket) -> str:
    """The URL of a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def for_browser(url: str) -> str:
    """A service's URL as a browser of this machine takes it: one that listens everywhere listens here, too.

    Example:
        >>> for_browser("http://0.0.0.0:8000")
        'http://127.0.0.1:8000'
    """
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def serve(service: Service, listening: socket.socket) -> int | None:
    """Serve until a signal.

    Returns:
        The signal; None where the server ended for another reason.
    """
    _log_to_stderr()
    _more_files()
    freeze()
    give_back_at_once()
    server = _Server(configuration(service), service)
    server.run(sockets=[listening])
    return server.signal


def configuration(service: Service) -> uvicorn.Config:
    """How the server runs that a service is in."""
    return uvicorn.Config(
        create_app(service),
        http="h11",
        ws=counting(service.memory),  # type: ignore[arg-type]
        ws_max_size=service.settings.json_bytes,
        ws_per_message_deflate=False,  # a small message could become large ones
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=1024,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )


class _Server(uvicorn.Server):
    """Uvicorn, but for how it stops."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stop: asyncio.Task[None] | None = None
        self.signal: int | None = None
        """The first that came."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what handlers are called with
        """The first signal lets requests finish, the second does not."""
        self.signal = self.signal or sig
        if self._service.doors.stopping or not self.started:
            self.should_exit = self.force_exit = True
            return
        self._service.doors.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: begin to stop where a signal has come."""
        if self._service.doors.stopping and self._stop is None:
            logging.getLogger("sdt.serving").info("stopping; %d requests are running", self._service.doors.running)
            self._service.talks.stop()
            self._stop = asyncio.create_task(self._stopped())
        return await super().on_tick(counter)

    async def _stopped(self) -> None:
        until = time.monotonic() + self._service.settings.stop_seconds
        while self._service.running and time.monotonic() < until:
            await asyncio.sleep(POLL)
        self.should_exit = True


def _log_to_stderr() -> None:
    """Lines of our own, and of uvicorn what is wrong; neither holds what a request says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    levels = {"sdt.serving": logging.INFO, "uvicorn": logging.ERROR, "python_multipart": logging.ERROR}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def _more_files() -> None:
    """Allow as many open files, connections among them, as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)) if hard > 0 else soft, hard))


def leave(code: int) -> None:
    """End the process though a thread of it is still at work."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
