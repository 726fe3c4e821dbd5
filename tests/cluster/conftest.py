"""A Ray cluster of this machine, for all tests that need one: two workers, a token, nothing in the home folder."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.guard import guard

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180.0
"""Seconds that a cluster may take to begin or to end, on a busy machine."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Workers have one thread, and last bits depend on that: so has what they are compared with."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Head:
    """Where a cluster is reached."""

    inside: str
    """From a machine that belongs to it."""
    outside: str
    """From any other."""


@pytest.fixture(scope="session")
def head(ray_head: Head) -> str:
    """The address of a cluster that ends with the tests."""
    return ray_head.inside


@pytest.fixture(scope="session")
def ray_head() -> Iterator[Head]:
    """A cluster that ends with the tests."""
    if importlib.util.find_spec("ray") is None:  # imported, it would look for the token, which is not there yet
        pytest.skip("needs Ray")
    # Sockets lie in it, and their paths may not be long.
    place = Path(tempfile.mkdtemp(prefix="sdt-ray-", dir="/tmp"))
    port, client = _free(), _free()
    tokens = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = {name: os.environ.get(name) for name in tokens}
    os.environ.update(tokens)
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = ["--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2", "--num-gpus=0"]
    options = [
        "--include-dashboard=false",
        "--disable-usage-stats",
        f"--dashboard-agent-listen-port={_free()}",  # a fixed one unless named, which another may have
        f"--temp-dir={place}",
        f"--ray-client-server-port={client}",
    ]
    with (place / "log").open("w") as log:
        ray = Path(sys.executable).with_name("ray")
        process = subprocess.Popen(
            [ray, "start", *command, *options], stdout=log, stderr=log, env=environment, cwd=ROOT
        )
    guard(process, place)
    try:
        _wait(process, place / "log")
        yield Head(f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}")
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(place, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if "Ray runtime started" in log.read_text():
            return
        time.sleep(0.2)
    raise RuntimeError(log.read_text())
