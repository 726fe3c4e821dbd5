"""Runs parts of a model in threads, one per core, in the forward and the backward pass.

PyTorch divides every operation among the cores and waits for all of them after each. At the size of a conversation the
waiting takes as long as many an operation. Parts that are computed on one core each wait for what they read, and for
each other once, at the end; and their gradients reach the parameters, and hooks there, in those threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """What one core computes without a pause."""

    run: Callable[..., Tensor]
    """Tensors to a tensor."""
    inputs: tuple[Tensor | int, ...]
    """Tensors on the CPU, and numbers of parts before this one, whose results it reads."""
    work: int = 1
    """How long it takes, beside the others."""

    @property
    def needs(self) -> list[int]:
        """The parts that it reads."""
        return [x for x in self.inputs if isinstance(x, int)]


def threads_pay(parts: int) -> bool:
    """Whether so many parts are worth threads: there is a core for each of several, and no more cores than parts.

    Not where several processes train together: DistributedDataParallel looks for the parameters of a step in its graph,
    and would not find those of the parts.
    """
    if dist.is_available() and dist.is_initialized():
        return False
    return 1 < torch.get_num_threads() <= parts and not torch.is_autocast_enabled("cpu")


def in_threads(parts: Sequence[Task]) -> list[Tensor]:
    """Compute parts with their gradients, as many at once as there are cores.

    What does not fill all cores at the end is computed on all cores together, in this thread.

    Args:
        parts: They share parameters with nothing, so that no two threads write the same gradient.

    Returns:
        For each part its result. The same sums in the same order every time, whatever thread is first.
    """
    cores, every = torch.get_num_threads(), range(len(parts))
    order = schedule({n: parts[n].work for n in every}, {n: parts[n].needs for n in every}, cores)
    flat = [x for n in sorted(order) for x in parts[n].inputs if isinstance(x, Tensor)]
    found = _InThreads.apply(cores, parts, order, *flat) if order else ()  # type: ignore[no-untyped-call]
    results: dict[int, Tensor] = dict(zip(sorted(order), found, strict=True))
    for n, part in enumerate(parts):
        if n not in results:
            results[n] = part.run(*(results[x] if isinstance(x, int) else x for x in part.inputs))
    return [results[n] for n in every]


def schedule(work: Mapping[int, int], needs: Mapping[int, Sequence[int]], cores: int) -> list[int]:
    """In which order to begin parts so that no core waits long: as they become ready, the longest first.

    Args:
        work: task to how long it takes.
        needs: task to the parts that have to be done first.
        cores: How many parts are computed at once.

    Returns:
        Parts, each after those that it needs; without those that are left when no core has work and fewer parts can be
        begun than there are cores.
    """
    order: list[int] = []
    ready: list[int] = []
    running: dict[int, int] = {}  # part to when it will be done
    done: set[int] = set()
    now = 0
    while True:
        new = [n for n in work if n not in order and n not in ready and done.issuperset(needs[n])]
        ready += sorted(new, key=lambda n: -work[n])
        if not running and len(ready) < cores:
            return order
        begun, ready = ready[: cores - len(running)], ready[cores - len(running) :]
        order += begun
        running.update({n: now + work[n] for n in begun})
        now = min(running.values())
        done.update(n for n, end in running.items() if end == now)
        running = {n: end for n, end in running.items() if end > now}


class _InThreads(torch.autograd.Function):
    """Every part builds a graph of its own in its thread; on the way back a thread walks it."""

    @staticmethod
    def forward(ctx: Any, cores: int, parts: Sequence[Task], order: Sequence[int], *flat: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401 - PyTorch's context has no type
        numbers, given = sorted(order), iter(flat)
        tensors = {n: [next(given) for x in parts[n].inputs if isinstance(x, Tensor)] for n in numbers}
        leaves: dict[int, list[Tensor]] = {}
        results: dict[int, Tensor] = {}

        def compute(n: int) -> None:
            outside = iter(tensors[n])
            read = [results[x] if isinstance(x, int) else next(outside) for x in parts[n].inputs]
            leaves[n] = [x.detach().requires_grad_(x.requires_grad) for x in read]
            with torch.enable_grad():
                results[n] = parts[n].run(*leaves[n])

        _run(compute, order, {n: parts[n].needs for n in numbers}, cores)
        ctx.cores, ctx.parts, ctx.numbers, ctx.leaves, ctx.results = cores, parts, numbers, leaves, results
        ctx.set_materialize_grads(False)
        return tuple(results[n].detach() for n in numbers)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        outside = dict(zip(ctx.numbers, grads, strict=True))
        inputs = {n: list(zip(ctx.parts[n].inputs, ctx.leaves[n], strict=True)) for n in ctx.numbers}
        readers = {n: [reader for reader in ctx.numbers if n in ctx.parts[reader].needs] for n in ctx.numbers}

        def compute(n: int) -> None:
            inside = [leaf.grad for reader in readers[n] for x, leaf in inputs[reader] if isinstance(x, int) and x == n]
            known = [gradient for gradient in (outside[n], *inside) if gradient is not None]
            if known and ctx.results[n].requires_grad:
                torch.autograd.backward(ctx.results[n], functools.reduce(torch.add, known))

        order = schedule({n: ctx.parts[n].work for n in ctx.numbers}, readers, ctx.cores)
        _run(compute, order, readers, ctx.cores)
        for n in reversed(ctx.numbers):
            if n not in order:
                compute(n)
        return None, None, None, *(leaf.grad for of in inputs.values() for x, leaf in of if isinstance(x, Tensor))


def _run(compute: Callable[[int], None], order: Sequence[int], needs: Mapping[int, Sequence[int]], cores: int) -> None:
    """Compute parts in threads, each when it is its turn and what it needs is there."""
    begun: dict[int, Future[None]] = {}

    def run(n: int) -> None:
        for needed in needs[n]:
            begun[needed].result()
        torch.set_num_threads(1)
        compute(n)

    with _all_cores_after(cores):
        for n in order:
            begun[n] = _pool(cores).submit(run, n)
        wait(begun.values())
    for future in begun.values():
        future.result()


@functools.cache
def _pool(cores: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores, thread_name_prefix="sdt")


@contextmanager
def _all_cores_after(cores: int) -> Iterator[None]:
    """Give this thread its cores back: the products' library keeps one number for all threads."""
    try:
        yield
    finally:
        torch.set_num_threads(cores)
