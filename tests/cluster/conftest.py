"""A Ray cluster of this machine alone, for all tests that need one: two workers, a token, nothing in the home folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def head() -> Iterator[str]:
    """The address of a cluster that ends with the tests."""
    pytest.importorskip("ray")
    # Sockets lie in it, and their paths may not be long.
    place = Path(tempfile.mkdtemp(prefix="sdt-ray-", dir="/tmp"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tokens = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = {name: os.environ.get(name) for name in tokens}
    os.environ.update(tokens)
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = ["--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2", "--num-gpus=0"]
    options = ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={place}", "--ray-client-server-port=0"]
    with (place / "log").open("w") as log:
        ray = Path(sys.executable).with_name("ray")
        process = subprocess.Popen([ray, "start", *command, *options], stdout=log, stderr=log, env=environment, cwd=ROOT)
    try:
        _wait(process, port, place / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(place, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if "Ray runtime started" in log.read_text():
            return
        time.sleep(0.2)
    raise RuntimeError(log.read_text())
