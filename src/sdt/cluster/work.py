"""Dividing work among the workers of a cluster: units, each of which is done whole by one worker."""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sdt.cluster.worker import Mistake, Order, serve, versions
from sdt.errors import InputError

A = TypeVar("A")
R = TypeVar("R")

TRIES = 3
"""How often a unit is begun whose worker dies."""
_EVERY = 0.3
"""Seconds between two looks at what else has happened, while no unit ends."""


@dataclass(frozen=True)
class Unit(Generic[A]):
    """A piece of the work."""

    name: str
    """How messages name it: `utterances dia1/0 to dia3/12`."""
    content: A
    """What the worker gets; travels to it by Ray's pickling."""


class LostUnitsError(RuntimeError):
    """Some units ended their workers every time; all others are done.

    Args:
        units: Those, each with the way in which its last worker ended.
    """

    def __init__(self, units: Sequence[tuple[Unit[Any], str]]) -> None:
        said = "; ".join(f"{unit.name}: {how}" for unit, how in units[:5])
        more = f"; and {len(units) - 5} more" if len(units) > 5 else ""
        super().__init__(f"given up after {TRIES} tries: {said}{more}; the rest is done and kept")
        self.lost = list(units)


class Cluster:
    """A cluster that this process is connected to; see `connection.connected`."""

    def __init__(self, ray: Any, address: str, *, workers: int | None, threads: int, gpus: float) -> None:  # noqa: ANN401
        self._ray, self.address = ray, address
        self.workers, self.threads, self._gpus = workers, threads, gpus
        self._looked, self._room = -60.0, 0

    def check_room(self) -> None:
        """Refuse a cluster in which the work would wait for ever.

        Raises:
            InputError: No machine of it has room for a worker.
        """
        if not self._places():
            gpus = f" and {self._gpus:g} GPUs" if self._gpus else ""
            raise InputError(
                f"--cluster {self.address}: no machine of it has {self.threads} processor cores{gpus}, which a worker "
                "takes"
            )

    def run(
        self,
        make: Callable[..., Callable[[A], R]],
        arguments: tuple[Any, ...],
        units: Iterable[Unit[A]],
        *,
        between: Callable[[], object] = lambda: None,
        fresh: bool = False,
        patience: float = 3.0,
    ) -> Generator[tuple[Unit[A], R], None, None]:
        """Do units, some at a time. One whose worker or machine dies is begun again by another.

        Args:
            make: Of a module that the workers can import; called there once with `arguments`. What it returns is called
                with the content of each unit.
            arguments: Of `make`; travel by Ray's pickling.
            units: Taken only as they are begun.
            between: Called several times a second.
            fresh: Whether every unit has a new process.
            patience: Seconds that workers have to stop by themselves when this is broken off.

        Yields:
            Each unit and what came of it, in the order in which they end; each once.

        Raises:
            InputError: A worker has found a user's mistake.
            LostUnitsError: At the end: some units have ended their workers `TRIES` times.
        """
        order = Order(uuid.uuid4().hex, make, arguments, self.threads, str(Path.cwd()), versions())
        remote = self._ray.remote(max_calls=1)(serve) if fresh else self._ray.remote(serve)
        task = remote.options(num_cpus=self.threads, num_gpus=self._gpus, max_retries=0)
        told, waiting = self._ray.put(order), iter(units)
        going: dict[Any, tuple[Unit[A], int]] = {}
        lost: list[tuple[Unit[A], str]] = []
        try:
            while True:
                for unit in _first(waiting, self._at_once() - len(going)):
                    going[task.remote(told, unit.content)] = (unit, 1)
                if not going:
                    break
                ended, _ = self._ray.wait(list(going), timeout=_EVERY)
                between()
                for reference in ended:
                    unit, tries = going.pop(reference)
                    death, result = self._result(reference)
                    if death is None:
                        yield unit, result
                        continue
                    if tries < TRIES:
                        print(f"sdt: {unit.name}: {death}; begun again", file=sys.stderr)
                        going[task.remote(told, unit.content)] = (unit, tries + 1)
                    else:
                        lost.append((unit, death))
        finally:
            self._stop(list(going), patience)
        if lost:
            raise LostUnitsError(lost)

    def channel(self) -> Channel:
        """A way for workers to say something while they work."""
        return Channel()

    def _result(self, reference: Any) -> tuple[str | None, Any]:  # noqa: ANN401
        """How the worker died, or None; and what came of the unit."""
        errors = self._ray.exceptions
        try:
            result = self._ray.get(reference)
        except errors.OutOfMemoryError:
            return "its worker was stopped for lack of memory", None
        except errors.WorkerCrashedError:
            return "its worker died, perhaps for lack of memory", None
        except (errors.NodeDiedError, errors.ObjectLostError, errors.RaySystemError):
            return "its machine was lost", None
        if isinstance(result, Mistake):
            raise result.error()
        return None, result

    def _at_once(self) -> int:
        """How many units are given away: one for each worker, and as many to begin with at once when these are done."""
        return self.workers or 2 * max(1, self._places())

    def _places(self) -> int:
        """For how many workers there is room; machines come and go."""
        if time.monotonic() - self._looked > 10:
            machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._looked, self._room = time.monotonic(), sum(map(self._places_of, machines))
        return self._room

    def _places_of(self, machine: dict[str, float]) -> int:
        places = int(machine.get("CPU", 0) // self.threads)
        return min(places, int(machine.get("GPU", 0) / self._gpus)) if self._gpus else places

    def _stop(self, going: Sequence[Any], patience: float) -> None:
        """End what still goes on."""
        if not going:
            return
        with contextlib.suppress(Exception):  # a cluster that has gone needs no stopping
            for force in (False, True):
                for reference in going:
                    self._ray.cancel(reference, force=force)
                going = self._ray.wait(going, num_returns=len(going), timeout=patience)[1]
                if not going:
                    break


class Channel:
    """What workers say while they work; an actor on the cluster, which needs no core."""

    def __init__(self) -> None:
        from ray.util.queue import Queue

        self._queue = Queue(actor_options={"num_cpus": 0})

    def say(self, message: object) -> None:
        """Say something; in a worker. Where nobody can hear it, nothing happens."""
        with contextlib.suppress(Exception):
            self._queue.put_nowait(message)

    def heard(self) -> list[Any]:
        """What has been said since the last call, in its order."""
        try:
            return list(self._queue.get_nowait_batch(count)) if (count := self._queue.qsize()) else []
        except Exception:  # the machine on which it was is lost: the work goes on untold
            return []


def _first(units: Iterator[Unit[A]], count: int) -> Iterator[Unit[A]]:
    for _, unit in zip(range(count), units, strict=False):
        yield unit
