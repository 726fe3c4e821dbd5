"""Measuring in processes of their own, so that memory, allocator and caches of one contender do not help another."""

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

# OpenMP threads that spin while they wait would take time from the process whose turn it is.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


class Worker:
    """An object that lives in a process of its own; its methods are called one at a time.

    Args:
        threads: PyTorch's, in that process.
        make: Makes the object there; importable from a module.
        arguments: Of `make`.

    Raises:
        InputError: `make` raised it.
        RuntimeError: `make` failed otherwise; holds the other process' traceback.
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
            self._answer()
        except BaseException:
            self._process.kill()
            raise

    def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        """Call a method there and wait for what it returns."""
        self._pipe.send((method, arguments))
        return self._answer()

    def _answer(self) -> Any:  # noqa: ANN401
        try:
            value, error = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise InputError(
                f"a measuring process ended with exit code {self._process.exitcode}; was there enough memory?"
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
    """The life of a measuring process: make the object, then call its methods until nobody asks."""
    torch.set_num_threads(threads)
    served: list[object] = []
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        pipe.send(_tried(lambda: served.append(make(*arguments))))
        while True:
            method, of_method = pipe.recv()
            pipe.send(_tried(partial(getattr(served[0], method), *of_method)))


def _tried(call: Callable[[], object]) -> tuple[object, InputError | str | None]:
    """What a call returned, and what it raised: a traceback cannot go through a pipe."""
    try:
        return call(), None
    except InputError as error:
        return None, error
    except Exception:
        return None, traceback.format_exc()


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """How long a call takes, a GPU's work included."""
    synchronise(device)
    begun = time.perf_counter()
    call()
    synchronise(device)
    return time.perf_counter() - begun


def best_seconds(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The shortest time of some calls, the first not counted.

    A GPU gets many in a row, so that it never waits for the host.
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
    """The most bytes that this process has ever held: of the GPU where it computes there, else resident memory.

    It never falls. What Linux says does, by some pages: it sums what every processor counted only now and then, and
    keeps the highest sum not when it is read but when memory is given back.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    global _highest
    _highest = max(_highest, _resident_peak())
    return _highest


def _resident_peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss, which on Linux a new process inherits from the one that started it.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak_memory(device: torch.device) -> None:
    """From now on `peak_memory` is the most that is held from now on; where this cannot be had, it stays as it is."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        global _highest
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
            _highest = 0
