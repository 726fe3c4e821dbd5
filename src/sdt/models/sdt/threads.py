"""Runs tasks of a model in threads, one per core, in the forward and the backward pass.

PyTorch splits every operation among the cores and synchronises them after each operation. At the size of a
conversation, this synchronisation takes as long as many operations. Tasks that run on one core each only wait for their
inputs and, once, for each other at the end. Gradients reach the parameters, and their hooks, in the threads of the
tasks.
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
    """A computation that runs on one core."""

    run: Callable[..., Tensor]
    """Function from tensors to a tensor."""
    inputs: tuple[Tensor | int, ...]
    """Tensors on the CPU, and indices of previous tasks whose results are inputs."""
    cost: int = 1
    """Run time relative to the other tasks."""

    @property
    def dependencies(self) -> list[int]:
        """Indices of the tasks whose results are inputs."""
        return [x for x in self.inputs if isinstance(x, int)]


def should_use_threads(tasks: int) -> bool:
    """Whether threads are faster for this number of tasks: there are several cores, but not more than tasks.

    False if several processes train together: DistributedDataParallel looks for the parameters of a step in its
    autograd graph and does not find those of the tasks.
    """
    if dist.is_available() and dist.is_initialized():
        return False
    return 1 < torch.get_num_threads() <= tasks


def run_in_threads(tasks: Sequence[Task]) -> list[Tensor]:
    """Compute tasks and their gradients, as many at once as there are cores.

    The last tasks, if they are fewer than the cores, run in this thread and use all cores for each operation.

    Args:
        tasks: Tasks without shared parameters, so that no two threads write the same gradient.

    Returns:
        The result of each task. Results do not depend on the order in which threads finish.
    """
    cores, every = torch.get_num_threads(), range(len(tasks))
    order = schedule({n: tasks[n].cost for n in every}, {n: tasks[n].dependencies for n in every}, cores)
    flat = [x for n in sorted(order) for x in tasks[n].inputs if isinstance(x, Tensor)]
    threaded = _InThreads.apply(cores, tasks, order, *flat) if order else ()  # type: ignore[no-untyped-call]
    results: dict[int, Tensor] = dict(zip(sorted(order), threaded, strict=True))
    for n, task in enumerate(tasks):
        if n not in results:
            results[n] = task.run(*(results[x] if isinstance(x, int) else x for x in task.inputs))
    return [results[n] for n in every]


def schedule(costs: Mapping[int, int], dependencies: Mapping[int, Sequence[int]], cores: int) -> list[int]:
    """Order tasks so that cores are rarely idle: tasks start as they become ready, the longest first.

    Args:
        costs: Task to its run time.
        dependencies: Task to the tasks that must finish before it.
        cores: Number of tasks that run at once.

    Returns:
        Tasks in the order in which they start, each after its dependencies. Tasks that remain when all cores are idle
        and fewer tasks than cores are ready are omitted.
    """
    order: list[int] = []
    ready: list[int] = []
    running: dict[int, int] = {}  # task to the time at which it finishes
    done: set[int] = set()
    now = 0
    while True:
        new = [n for n in costs if n not in order and n not in ready and done.issuperset(dependencies[n])]
        ready += sorted(new, key=lambda n: -costs[n])
        if not running and len(ready) < cores:
            return order
        started, ready = ready[: cores - len(running)], ready[cores - len(running) :]
        order += started
        running.update({n: now + costs[n] for n in started})
        now = min(running.values())
        done.update(n for n, end in running.items() if end == now)
        running = {n: end for n, end in running.items() if end > now}


class _InThreads(torch.autograd.Function):
    """Each task builds its own autograd graph in its thread; the backward pass runs those graphs in threads."""

    @staticmethod
    def forward(ctx: Any, cores: int, tasks: Sequence[Task], order: Sequence[int], *flat: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401 - PyTorch's context has no type
        numbers, arguments = sorted(order), iter(flat)
        tensors = {n: [next(arguments) for x in tasks[n].inputs if isinstance(x, Tensor)] for n in numbers}
        leaves: dict[int, list[Tensor]] = {}
        results: dict[int, Tensor] = {}
        enabled, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def compute(n: int) -> None:
            outside = iter(tensors[n])
            inputs = [results[x] if isinstance(x, int) else next(outside) for x in tasks[n].inputs]
            leaves[n] = [x.detach().requires_grad_(x.requires_grad) for x in inputs]
            # Both are settings of a thread. The cache of casts is not: a thread that leaves autocast empties it for
            # all, so that sums of gradients would be rounded as the threads happen to finish.
            with torch.enable_grad(), torch.autocast("cpu", dtype, enabled, cache_enabled=False):
                results[n] = tasks[n].run(*leaves[n])

        _run(compute, order, {n: tasks[n].dependencies for n in numbers}, cores)
        ctx.cores, ctx.tasks, ctx.numbers, ctx.leaves, ctx.results = cores, tasks, numbers, leaves, results
        ctx.set_materialize_grads(False)
        return tuple(results[n].detach() for n in numbers)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        outside = dict(zip(ctx.numbers, grads, strict=True))
        inputs = {n: list(zip(ctx.tasks[n].inputs, ctx.leaves[n], strict=True)) for n in ctx.numbers}
        users = {n: [user for user in ctx.numbers if n in ctx.tasks[user].dependencies] for n in ctx.numbers}

        def compute(n: int) -> None:
            inside = [leaf.grad for user in users[n] for x, leaf in inputs[user] if isinstance(x, int) and x == n]
            gradients = [gradient for gradient in (outside[n], *inside) if gradient is not None]
            if gradients and ctx.results[n].requires_grad:
                torch.autograd.backward(ctx.results[n], functools.reduce(torch.add, gradients))

        order = schedule({n: ctx.tasks[n].cost for n in ctx.numbers}, users, ctx.cores)
        _run(compute, order, users, ctx.cores)
        for n in reversed(ctx.numbers):
            if n not in order:
                compute(n)
        return None, None, None, *(leaf.grad for pairs in inputs.values() for x, leaf in pairs if isinstance(x, Tensor))


def _run(
    compute: Callable[[int], None], order: Sequence[int], dependencies: Mapping[int, Sequence[int]], cores: int
) -> None:
    """Run tasks in threads, in the given order and after their dependencies."""
    futures: dict[int, Future[None]] = {}

    def run(n: int) -> None:
        for dependency in dependencies[n]:
            futures[dependency].result()
        torch.set_num_threads(1)
        compute(n)

    with _restored_threads(cores):
        for n in order:
            futures[n] = _pool(cores).submit(run, n)
        wait(futures.values())
    for future in futures.values():
        future.result()


@functools.cache
def _pool(cores: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores, thread_name_prefix="sdt")


@contextmanager
def _restored_threads(cores: int) -> Iterator[None]:
    """Restore the number of threads on exit: the BLAS library has one setting for all threads."""
    try:
        yield
    finally:
        torch.set_num_threads(cores)
