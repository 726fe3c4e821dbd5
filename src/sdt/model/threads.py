"""Parts of a model that do not depend on each other, each in a thread of its own, forwards and backwards.

PyTorch divides every operation among the cores and waits for all of them after each. At the size of a conversation the
waiting takes as long as many an operation. Parts that are computed on one core each wait once, at the end; and their
gradients reach the parameters, and hooks there, in those threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

Part = Callable[..., Tensor]
"""Tensors to a tensor."""


def threads_pay(parts: int) -> bool:
    """Whether so many parts are worth threads: there is a core for each of several, and no more cores than parts.

    Not where several processes train together: DistributedDataParallel looks for the parameters of a step in its graph,
    and would not find those of the parts.
    """
    if dist.is_available() and dist.is_initialized():
        return False
    return 1 < torch.get_num_threads() <= parts and not torch.is_autocast_enabled("cpu")


def in_threads(parts: Sequence[Part], inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Compute parts with their gradients, as many at once as there are cores.

    What does not fill all cores at the end is computed on all cores together, in this thread.

    Args:
        parts: They share parameters with nothing, so that no two threads write the same gradient.
        inputs: For each part its tensors, on the CPU. The same tensor may be an input of several.

    Returns:
        For each part its result. The same sums in the same order every time, whatever thread is first.
    """
    cores = torch.get_num_threads()
    whole = len(parts) // cores * cores
    flat = [tensor for of_part in inputs[:whole] for tensor in of_part]
    sizes = tuple(len(of_part) for of_part in inputs[:whole])
    results: tuple[Tensor, ...] = _InThreads.apply(cores, parts[:whole], sizes, *flat)  # type: ignore[no-untyped-call]
    return [*results, *(part(*of_part) for part, of_part in zip(parts[whole:], inputs[whole:], strict=True))]


class _InThreads(torch.autograd.Function):
    """Every part builds a graph of its own in its thread, which its thread walks back again."""

    @staticmethod
    def forward(ctx: Any, cores: int, parts: Sequence[Part], sizes: Sequence[int], *flat: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401 - PyTorch's context has no type
        leaves = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in flat]
        rest = iter(leaves)
        given = [[next(rest) for _ in range(size)] for size in sizes]

        def run(part: Part, inputs: Sequence[Tensor]) -> Tensor:
            torch.set_num_threads(1)
            with torch.enable_grad():
                return part(*inputs)

        with _all_cores_after(cores):
            results = list(_pool(cores).map(run, parts, given))
        ctx.cores, ctx.leaves, ctx.results = cores, leaves, results
        return tuple(result.detach() for result in results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        def run(result: Tensor, grad: Tensor) -> None:
            torch.set_num_threads(1)
            torch.autograd.backward(result, grad)

        with _all_cores_after(ctx.cores):
            list(_pool(ctx.cores).map(run, ctx.results, grads))
        return None, None, None, *(leaf.grad for leaf in ctx.leaves)


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
