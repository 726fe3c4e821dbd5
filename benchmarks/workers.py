"""Worker processes for measurements, so that implementations share no memory, allocator or caches."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from sdt.errors import InputError

# OpenMP threads that spin while they wait would slow down the process that is being measured.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


class Worker:
    """An object in a separate process, whose methods are called remotely, one at a time.

    Args:
        threads: Threads of PyTorch in the process.
        make: Creates the object in the process; must be importable.
        arguments: Arguments of `make`.

    Raises:
        InputError: `make` raised it.
        RuntimeError: `make` raised another exception; the message is its traceback.
    """

    def __init__(self, threads: int, make: Callable[..., object], *arguments: object) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads, make, arguments), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._receive()
        except BaseException:
            self._process.kill()
            raise

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        """Call a method in the process and return its result."""
        self._pipe.send((method, arguments))
        return self._receive()

    def _receive(self) -> Any:  # noqa: ANN401
        try:
            value, error = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise InputError(
                f"a measuring process ended with exit code {self._process.exitcode}; it may have run out of memory"
            ) from None
        if isinstance(error, InputError):
            raise error
        if error is not None:
            raise RuntimeError(error)
        return value

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, threads: int, make: Callable[..., object], arguments: Sequence[object]) -> None:
    """The main function of the process: create the object, then serve calls until the pipe is closed."""
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for onnxruntime, see sdt.graphs
    served: list[object] = []
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        pipe.send(_guarded(lambda: served.append(make(*arguments))))
        while True:
            method, of_method = pipe.recv()
            pipe.send(_guarded(partial(getattr(served[0], method), *of_method)))


def _guarded(call: Callable[[], object]) -> tuple[object, InputError | str | None]:
    """Return the result of a call, and its error; tracebacks cannot be pickled and become text."""
    try:
        return call(), None
    except InputError as error:
        return None, error
    except Exception:
        return None, traceback.format_exc()


def synchronise(device: torch.device) -> None:
    """Wait until the GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """The wall time of a call in seconds, including the work of the GPU."""
    synchronise(device)
    begun = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - begun


def best_seconds(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The shortest time of several calls, after one warm-up call.

    On a GPU, calls are timed in groups, so that the GPU does not wait for the host.
    """
    call()
    if device.type != "cuda":
        return min(_once(call) for _ in range(repeats))
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    found = list[float]()
    for _ in range(repeats):
        torch.cuda.synchronize(device)
        begin.record()
        for _ in range(20):
            call()
        end.record()
        torch.cuda.synchronize(device)
        found.append(begin.elapsed_time(end) / 20 / 1000)
    return min(found)


def _once(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


_highest = 0


def peak_memory(device: torch.device) -> int:
    """The peak memory of this process in bytes: GPU memory if it computes on a GPU, otherwise resident memory.

    The value never decreases. The one of Linux can decrease by some pages, because the kernel sums the counters of the
    processors only occasionally, and updates the peak when memory is released, not when it is read.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    global _highest
    _highest = max(_highest, _resident_peak())
    return _highest


def _resident_peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux, a new process inherits it from its parent.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak_memory(device: torch.device) -> None:
    """Reset `peak_memory` to the current memory, if the system supports it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        global _highest
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
            _highest = 0
