"""Processes like those of `python -m sdt` that import next to nothing: they fork from one that has imported it all.

Imports take a new process two to four seconds of processor time. A fork has signals, an exit code, streams, an
environment and memory of its own, as any process has. What only a new process shows, some tests start for itself.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

IMPORTED = (
    *("pydantic", "sklearn.feature_extraction.text", "torch._dynamo", "sdt.cli.watch", "sdt.encoders.text"),
    *("sdt.models.sdt", "sdt.prediction.pipeline", "sdt.prediction.streaming", "sdt.serving.predictor"),
    *("sdt.serving.server", "sdt.training.run", "sdt.training.trackers"),
)
"""What the process that forks has imported."""
ENVIRONMENT = {
    **os.environ,
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "error::ResourceWarning",
}
ENVIRONMENT.pop("SDT_TOKEN", None)


@dataclass
class Fork:
    """A process that is used as a `subprocess.Popen` with pipes is."""

    pid: int
    stdin: IO[Any]
    stdout: IO[Any]
    stderr: IO[Any] | None
    """None where another file was given for it."""
    status: int
    """A pipe that its exit code is written to."""
    returncode: int | None = field(default=None, init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def poll(self) -> int | None:
        """The exit code, if the process has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code at the end of the process; the negative number of the signal that killed it."""
        if not select.select([self.status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("sdt", timeout or 0)
        with self._reading:
            if self.returncode is None:  # otherwise another thread has read it
                self.returncode = int(os.read(self.status, 20))
            return self.returncode

    def __del__(self) -> None:
        os.close(self.status)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Fork:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in filter(None, (self.stdin, self.stdout, self.stderr)):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self.wait()


def fork(
    module: str,
    words: Sequence[str],
    environment: Mapping[str, str] = ENVIRONMENT,
    *,
    stderr: IO[Any] | None = None,
    text: bool = True,
) -> Fork:
    """Run what `python -m MODULE WORDS` runs, in the working directory.

    Args:
        module: The module.
        words: Its arguments.
        environment: The variables of the process.
        stderr: A file for its errors, in place of a pipe.
        text: Whether the pipes are of text.
    """
    (stdin, ours), (out, stdout), (error, errors), (status, ended) = (os.pipe() for _ in range(4))
    theirs = [stdin, stdout, errors, ended]
    request = {"module": module, "words": words, "environment": dict(environment), "folder": str(Path.cwd())}
    _, line = _forking()
    socket.send_fds(line, [json.dumps(request).encode()], theirs if stderr is None else [*theirs, stderr.fileno()])
    for end in theirs:
        os.close(end)
    pid, kind = int(line.recv(20)), "" if text else "b"
    pipes = [os.fdopen(end, way + kind) for end, way in ((ours, "w"), (out, "r"), (error, "r"))]
    if stderr is not None:
        pipes.pop().close()
    return Fork(pid, pipes[0], pipes[1], pipes[2] if stderr is None else None, status)


def popen(command: Sequence[str], *, env: Mapping[str, str], stderr: IO[Any], **_: object) -> Fork:
    """In place of `subprocess.Popen`, for a command of `python -m MODULE` whose input and output are pipes of text."""
    python, option, module, *words = command
    assert (python, option) == (sys.executable, "-m")
    return fork(module, words, env, stderr=stderr)


@functools.cache
def _forking() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process that forks, and the line to it, whose end ends it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # With more threads, imports would leave work to threads that forks lack.
    environment = {**ENVIRONMENT, "OMP_NUM_THREADS": "1"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", str(theirs.fileno())],
            stdin=subprocess.PIPE,  # like those of its forks
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return process, ours


def _serve(line: socket.socket) -> dict[str, Any]:
    """Fork for every request. Returns in the forks, with their requests; ends with the line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the forks
    while True:
        request, ends, *_ = socket.recv_fds(line, 1 << 20, 5)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            break
        for end in ends:
            os.close(end)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stdin, stdout, errors, ended, *given = ends
    pid = os.fork()
    if pid:
        line.send(str(pid).encode())
    line.close()
    if pid:
        for end in {0, 1, 2, *ends} - {ended}:
            os.close(end)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(ended, str(code).encode())
        os._exit(0)
    for number, end in enumerate((stdin, stdout, *(given or [errors]))):
        os.dup2(end, number)
    for end in ends:
        os.close(end)
    found: dict[str, Any] = json.loads(request)
    return found


def _begin(module: str, words: list[str], environment: dict[str, str], folder: str) -> None:
    """Do what Python does when it starts, and PyTorch."""
    import torch

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    _begin(**_serve(socket.socket(fileno=int(sys.argv[1]))))
