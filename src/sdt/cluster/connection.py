"""Connection to a Ray cluster, or to a Ray that runs on this machine during a command."""

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
"""The timeout of a connection to the head in seconds; that of Ray is more than a minute."""
_LONGEST = 40
"""The longest path of a temporary folder; the paths of sockets in it can have at most 107 characters."""


@contextlib.contextmanager
def connect_cluster(
    address: str, *, workers: int | None = None, threads: int = 1, gpus: float = 0
) -> Iterator[Cluster]:
    """Connect to a cluster within the block.

    A Ray that this function starts stops at the end of the block. An existing cluster keeps running.

    Args:
        address: `local` starts a Ray on this machine; `auto` is the cluster of this machine; `HOST:PORT` is the head of
            this cluster; `ray://HOST:PORT` is a cluster that this machine does not belong to.
        workers: The number of parallel units of work; None uses all resources.
        threads: The threads and processor cores of each worker.
        gpus: The GPUs of each worker; a fraction if workers share one.

    Raises:
        InputError: The cluster does not answer, its token is missing, or no machine has the resources for a worker.
        MissingDependencyError: Ray is not installed.
    """
    _check(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # disables usage reports
    _authenticate(address)
    ray = _ray()
    terminated = signal.getsignal(signal.SIGTERM)
    folder = _temporary_folder() if address == LOCAL else None
    cores = max(usable_cores(), (workers or 1) * threads)
    local: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False, "_temp_dir": str(folder)}
    try:
        _connect(ray, address, local if folder else {})
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # Ray replaces the handler
        cluster = Cluster(ray, address, workers=workers, threads=threads, gpus=gpus)
        cluster.check_resources()
        yield cluster
    finally:
        ray.shutdown(wait_for_processes=True)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _ray() -> Any:  # noqa: ANN401 - a module
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "--cluster requires Ray, which is not installed; install it with: pip install 'sdt-erc[cluster]'"
        ) from None
    # Ray prints the failure of every worker into the output, and has no option to disable this.
    ray._private.worker.listen_error_messages = lambda *_: None
    return ray


def _connect(ray: Any, address: str, local: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False, **local)
    except (Exception, SystemExit) as error:  # Ray exits if it cannot connect to a cluster
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        hint = "" if local else "; check that this machine has the token and the Ray version of the cluster"
        raise InputError(f"--cluster {address}: cannot be used: {why}{hint}") from None


def _check(address: str) -> None:
    """Check the form of an address, and that the host answers."""
    if address in (LOCAL, AUTO):
        return
    named = re.fullmatch(r"(?:ray://)?\[?([\w.:-]+?)\]?:(\d{1,5})", address)
    if not named or int(named[2]) > 65535:
        raise InputError(f"--cluster {address}: invalid address; give local, auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((named[1], int(named[2])), timeout=_PATIENCE).close()
    except OSError as error:
        raise InputError(
            f"--cluster {address}: no answer ({error.strerror or error}); is it the address that "
            "`ray start --head` printed?"
        ) from None


def _authenticate(address: str) -> None:
    """Enable token authentication: with a new token for a Ray on this machine, or with the token of the cluster."""
    if address == LOCAL:
        if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
            # Ray would write a world-readable token into the home folder. This one lives as long as this process.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        return
    if "RAY_AUTH_MODE" in os.environ:
        return
    named = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if not named and not (Path.home() / ".ray" / "auth_token").is_file():
        raise InputError(
            f"--cluster {address}: this machine has no token of the cluster; copy the file ~/.ray/auth_token from its "
            "head to the same path here. If the cluster has no token, anyone with network access can run programs on "
            "it; to use it anyway, set RAY_AUTH_MODE=disabled"
        )
    os.environ["RAY_AUTH_MODE"] = "token"


def _temporary_folder() -> Path:
    """Make a temporary folder for the sockets and logs of Ray."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="sdt-ray-", dir=usual if len(usual) + 17 <= _LONGEST else "/tmp"))  # noqa: S108
