"""A cluster that is this process, for what does not depend on Ray."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sdt.cluster.work import WorkUnit


class Here:
    """Does all units in this process, the last one first, as a cluster might."""

    threads = 1
    done: list[str]

    def __init__(self) -> None:
        self.done = []

    def run(
        self, make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...], units: Iterable[WorkUnit[Any]]
    ) -> Iterator[tuple[WorkUnit[Any], Any]]:
        work = make(*arguments)
        for unit in reversed(list(units)):
            self.done.append(unit.name)
            yield unit, work(unit.content)

    @contextlib.contextmanager
    def asked(self, *_: object) -> Iterator[Here]:
        """In place of `sdt.cli.options.connected_cluster`."""
        yield self
