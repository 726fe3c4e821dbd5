"""Distribution of work units over the workers of a cluster."""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sdt.cluster.worker import Job, ReportedInputError, serve, versions
from sdt.errors import InputError

A = TypeVar("A")
R = TypeVar("R")

TRIES = 3
"""How often a unit is started if its workers fail."""
_EVERY = 0.3
"""The interval in seconds at which `run` calls `between` while no unit completes."""


@dataclass(frozen=True)
class WorkUnit(Generic[A]):
    """A part of the work that one worker completes."""

    name: str
    """The name in messages: `utterances dia1/0 to dia3/12`."""
    content: A
    """The input of the worker, pickled by Ray."""


class LostUnitsError(RuntimeError):
    """Some units failed repeatedly because their workers crashed; all others are complete.

    Args:
        units: The failed units, each with the reason of its last failure.
    """

    def __init__(self, units: Sequence[tuple[WorkUnit[Any], str]]) -> None:
        reasons = "; ".join(f"{unit.name}: {how}" for unit, how in units[:5])
        more = f"; and {len(units) - 5} more" if len(units) > 5 else ""
        super().__init__(f"given up after {TRIES} tries: {reasons}{more}; all other units are complete and stored")
        self.lost = list(units)


class Cluster:
    """A cluster that this process is connected to; see `connection.connect_cluster`."""

    def __init__(self, ray: Any, address: str, *, workers: int | None, threads: int, gpus: float) -> None:  # noqa: ANN401
        self._ray, self.address = ray, address
        self.workers, self.threads, self._gpus = workers, threads, gpus
        self._updated, self._workers = -60.0, 0

    def check_resources(self) -> None:
        """Check that a machine of the cluster has the resources for a worker.

        Raises:
            InputError: No machine has them.
        """
        if not self._capacity():
            gpus = f" and {self._gpus:g} GPUs" if self._gpus else ""
            raise InputError(
                f"--cluster {self.address}: no machine has the {self.threads} processor cores{gpus} that a worker "
                "requires"
            )

    def run(
        self,
        make: Callable[..., Callable[[A], R]],
        arguments: tuple[Any, ...],
        units: Iterable[WorkUnit[A]],
        *,
        between: Callable[[], object] = lambda: None,
        fresh: bool = False,
        patience: float = 3.0,
    ) -> Generator[tuple[WorkUnit[A], R], None, None]:
        """Run units in parallel. If a worker or machine fails, another one restarts the unit.

        Args:
            make: A function of an importable module that each worker calls once with `arguments`. It returns the
                function that processes the content of each unit.
            arguments: The arguments of `make`, pickled by Ray.
            units: The units; they are consumed when they start.
            between: Called several times per second.
            fresh: Whether every unit runs in a new process.
            patience: Seconds for workers to stop by themselves if this generator is closed early.

        Yields:
            Each unit and its result, in the order of completion.

        Raises:
            InputError: A worker raised it.
            LostUnitsError: After all other units: some units crashed their workers `TRIES` times.
        """
        job = Job(uuid.uuid4().hex, make, arguments, self.threads, str(Path.cwd()), versions())
        remote = self._ray.remote(max_calls=1)(serve) if fresh else self._ray.remote(serve)
        task = remote.options(num_cpus=self.threads, num_gpus=self._gpus, max_retries=0)
        shared, waiting = self._ray.put(job), iter(units)
        running: dict[Any, tuple[WorkUnit[A], int]] = {}
        lost: list[tuple[WorkUnit[A], str]] = []
        try:
            while True:
                for unit in _first(waiting, self._max_submitted() - len(running)):
                    running[task.remote(shared, unit.content)] = (unit, 1)
                if not running:
                    break
                ended, _ = self._ray.wait(list(running), timeout=_EVERY)
                between()
                for reference in ended:
                    unit, tries = running.pop(reference)
                    failure, result = self._result(reference)
                    if failure is None:
                        yield unit, result
                        continue
                    if tries < TRIES:
                        print(f"sdt: {unit.name}: {failure}; restarted", file=sys.stderr)
                        running[task.remote(shared, unit.content)] = (unit, tries + 1)
                    else:
                        lost.append((unit, failure))
        finally:
            self._stop(list(running), patience)
        if lost:
            raise LostUnitsError(lost)

    def channel(self) -> Channel:
        """A channel for messages of workers."""
        return Channel()

    def _result(self, reference: Any) -> tuple[str | None, Any]:  # noqa: ANN401
        """The reason why the worker failed, or None; and the result of the unit."""
        errors = self._ray.exceptions
        try:
            result = self._ray.get(reference)
        except errors.OutOfMemoryError:
            return "its worker was stopped because of low memory", None
        except errors.WorkerCrashedError:
            return "its worker crashed, possibly because of low memory", None
        except (errors.NodeDiedError, errors.ObjectLostError, errors.RaySystemError):
            return "its machine was lost", None
        if isinstance(result, ReportedInputError):
            raise result.error()
        return None, result

    def _max_submitted(self) -> int:
        """The number of submitted units: one for each worker, and one more that starts without delay."""
        return self.workers or 2 * max(1, self._capacity())

    def _capacity(self) -> int:
        """The number of workers that the current machines have resources for."""
        if time.monotonic() - self._updated > 10:
            machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._updated, self._workers = time.monotonic(), sum(map(self._capacity_of, machines))
        return self._workers

    def _capacity_of(self, machine: dict[str, float]) -> int:
        workers = int(machine.get("CPU", 0) // self.threads)
        return min(workers, int(machine.get("GPU", 0) / self._gpus)) if self._gpus else workers

    def _stop(self, running: Sequence[Any], patience: float) -> None:
        """Cancel the running units."""
        if not running:
            return
        with contextlib.suppress(Exception):  # the cluster can be unreachable
            for force in (False, True):
                for reference in running:
                    self._ray.cancel(reference, force=force)
                running = self._ray.wait(running, num_returns=len(running), timeout=patience)[1]
                if not running:
                    break


class Channel:
    """A queue of messages from workers; an actor on the cluster that uses no processor core."""

    def __init__(self) -> None:
        from ray.util.queue import Queue

        self._queue = Queue(actor_options={"num_cpus": 0})

    def send(self, message: object) -> None:
        """Send a message from a worker; it is dropped if the queue cannot be reached."""
        with contextlib.suppress(Exception):
            self._queue.put_nowait(message)

    def receive(self) -> list[Any]:
        """The messages since the last call, in order."""
        try:
            return list(self._queue.get_nowait_batch(count)) if (count := self._queue.qsize()) else []
        except Exception:  # the machine of the actor is lost; the work continues without messages
            return []


def _first(units: Iterator[WorkUnit[A]], count: int) -> Iterator[WorkUnit[A]]:
    for _, unit in zip(range(count), units, strict=False):
        yield unit
