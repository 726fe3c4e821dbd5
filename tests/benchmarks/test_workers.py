"""Measuring processes: results, errors, and separate memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from benchmarks import workers
from benchmarks.workers import Worker, best_seconds, peak_memory, reset_peak_memory, seconds
from sdt.errors import InputError

CPU = torch.device("cpu")


class Served:
    def __init__(self, name: str) -> None:
        if not name:
            raise InputError("a name is needed")
        self.name = name

    def about(self) -> tuple[str, int, int, str | None]:
        return self.name, os.getpid(), torch.get_num_threads(), os.environ.get("OMP_WAIT_POLICY")

    def fill(self, mebibytes: int) -> int:
        """Peak memory after allocating so many mebibytes."""
        _ = bytearray(b"1") * (mebibytes << 20)
        return peak_memory(CPU)

    def refuse(self) -> None:
        raise InputError("this cannot be measured")

    def fail(self) -> None:
        raise ZeroDivisionError("a mistake of ours")

    def vanish(self) -> None:
        os._exit(3)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(1, Served, "one") as worker:
        yield worker


def test_an_object_is_in_another_process(worker: Worker) -> None:
    name, pid, threads, policy = worker.call("about")
    assert (name, threads) == ("one", 1)
    assert pid != os.getpid()
    assert policy


def test_memory_is_the_peak_of_that_process(worker: Worker) -> None:
    before, ours = worker.call("fill", 1), peak_memory(CPU)
    after = worker.call("fill", 300)
    assert 250 < (after - before) / 2**20 < 350
    assert 0 <= worker.call("fill", 1) - after < 2**20  # the kernel counts in strides
    assert peak_memory(CPU) - ours < 100 * 2**20


def test_the_peak_never_decreases_until_it_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of the kernel can decrease by some pages between two readings."""
    values = iter((50, 45, 60, 40, 41))
    monkeypatch.setattr(workers, "_highest", 0)
    monkeypatch.setattr(workers, "_resident_peak", lambda: next(values))
    assert [peak_memory(CPU) for _ in range(3)] == [50, 50, 60]
    reset_peak_memory(CPU)
    can_reset = os.access("/proc/self/clear_refs", os.W_OK)
    assert [peak_memory(CPU) for _ in range(2)] == ([40, 41] if can_reset else [60, 60])


@pytest.mark.parametrize(
    ("method", "kind", "message"),
    [
        ("refuse", InputError, "this cannot be measured"),
        ("fail", RuntimeError, "ZeroDivisionError: a mistake of ours"),
    ],
)
def test_errors_are_passed_on(worker: Worker, method: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        worker.call(method)
    assert worker.call("about")[0] == "one"


def test_a_dead_process_is_reported(worker: Worker) -> None:
    with pytest.raises(InputError, match="exit code 3"):
        worker.call("vanish")


def test_errors_of_the_constructor_are_passed_on() -> None:
    with pytest.raises(InputError, match="a name is needed"):
        Worker(1, Served, "")


def test_times() -> None:
    calls = []
    assert seconds(lambda: calls.append(sum(range(100_000))), CPU) > 1e-5
    assert 0 < best_seconds(lambda: calls.append(0), 3, CPU) < 1e-3
    assert len(calls) == 1 + 1 + 3
