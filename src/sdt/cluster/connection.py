"""Reaching a Ray cluster, or starting a Ray on this machine for as long as a command runs."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdt.cluster.work import Cluster
from sdt.cores import usable_cores
from sdt.errors import InputError, MissingDependencyError

LOCAL, AUTO = "local", "auto"
_CLIENT = "ray://"
_PATIENCE = 5.0
"""Seconds in which a head must answer; Ray itself would wait for more than a minute."""
_LONGEST = 40
"""Characters of a temporary folder's path: Ray's sockets lie in it, and their paths may have 107."""


@contextlib.contextmanager
def connected(address: str, *, workers: int | None = None, threads: int = 1, gpus: float = 0) -> Iterator[Cluster]:
    """Be connected to a cluster within the block.

    A Ray that was started here ends with the block. A cluster stays as it is.

    Args:
        address: `local` starts a Ray on this machine; `auto` is the cluster that this machine belongs to; `HOST:PORT`
            names the head of that cluster; `ray://HOST:PORT` reaches a cluster from a machine outside.
        workers: How many units are worked on at a time; None for as many as there is room for.
        threads: Of each worker, which are as many processor cores.
        gpus: Of each worker; a fraction where several share one.

    Raises:
        InputError: There is no such cluster, its token is not here, or no machine of it has room for a worker.
        MissingDependencyError: Ray is not installed.
    """
    _check(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would tell its makers what it is used for
    _authenticate(address)
    ray = _ray()
    terminated = signal.getsignal(signal.SIGTERM)
    place = _temporary() if address == LOCAL else None
    cores = max(usable_cores(), (workers or 1) * threads)
    local: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False, "_temp_dir": str(place)}
    try:
        _begin(ray, address, local if place else {})
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # Ray puts its own in its place
        cluster = Cluster(ray, address, workers=workers, threads=threads, gpus=gpus)
        cluster.check_room()
        yield cluster
    finally:
        ray.shutdown(wait_for_processes=True)
        if place:
            shutil.rmtree(place, ignore_errors=True)


def _ray() -> Any:  # noqa: ANN401 - a module
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "--cluster needs Ray, which is not installed; install it with: pip install 'sdt-erc[cluster]'"
        ) from None
    # Ray prints the death of every worker between the lines of the output, and has no option against it.
    ray._private.worker.listen_error_messages = lambda *_: None
    return ray


def _begin(ray: Any, address: str, local: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False, **local)
    except (Exception, SystemExit) as error:  # Ray ends the program where it gives up a cluster
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        hint = "" if local else "; is the token here that of the cluster, and is its Ray of the same version?"
        raise InputError(f"--cluster {address}: cannot be used: {why}{hint}") from None


def _check(address: str) -> None:
    """Refuse an address that nobody answers at."""
    if address in (LOCAL, AUTO):
        return
    named = re.fullmatch(r"(?:ray://)?\[?([\w.:-]+?)\]?:(\d{1,5})", address)
    if not named or int(named[2]) > 65535:
        raise InputError(f"--cluster {address}: is no address; give local, auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((named[1], int(named[2])), timeout=_PATIENCE).close()
    except OSError as error:
        raise InputError(
            f"--cluster {address}: nothing answers there ({error.strerror or error}); is it the address that "
            "`ray start --head` printed?"
        ) from None


def _authenticate(address: str) -> None:
    """Let Ray use tokens: a new one for a Ray on this machine, else that of the cluster, which has to be here."""
    if address == LOCAL:
        if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
            # Ray would write one into the home folder, for everybody to read. This one ends with this process.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        return
    if "RAY_AUTH_MODE" in os.environ:
        return
    named = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if not named and not (Path.home() / ".ray" / "auth_token").is_file():
        raise InputError(
            f"--cluster {address}: this machine has no token of the cluster; copy the file ~/.ray/auth_token from its "
            "head to the same place here. If the cluster has none, anyone who reaches it can run programs on it; to "
            "use it nevertheless, set RAY_AUTH_MODE=disabled"
        )
    os.environ["RAY_AUTH_MODE"] = "token"


def _temporary() -> Path:
    """A folder for Ray's sockets and logs."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="sdt-ray-", dir=usual if len(usual) + 17 <= _LONGEST else "/tmp"))  # noqa: S108
