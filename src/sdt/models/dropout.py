"""Dropout with random numbers that are fast on a CPU.

PyTorch draws a CPU's Bernoulli numbers one by one, some 13 ns each, which makes a tenth of a training step of the
published size. Here four of them come out of every 64 random bits of the same generator, so that `torch.manual_seed`
decides them as ever. Sixteen bits make the probability of keeping a value a multiple of 2^-16; what is kept is divided
by exactly that probability, so that the expectation is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 1 << 16
"""The values of a draw."""

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def drawing_with(seed: int) -> Iterator[None]:
    """Within it, and in this thread, noise comes from a generator of its own, whatever other threads draw."""
    token = _generator.set(torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        _generator.reset(token)


def current_generator() -> torch.Generator | None:
    """The generator that noise comes from in this thread; None for PyTorch's own."""
    return _generator.get()


def dropout_noise(
    shape: Sequence[int],
    probability: float,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> Tensor:
    """What a tensor on the CPU is multiplied by: 0 with the probability, else what keeps the expectation.

    Args:
        shape: Of the tensor.
        probability: Of a zero, in [0, 1).
        dtype: Of the tensor.
        generator: Where chance comes from; None for `current_generator`.
    """
    size = torch.Size(shape).numel()
    kept = min(max(round((1 - probability) * STEPS), 1), STEPS)
    bits = torch.empty(-(-size // 4), dtype=torch.int64)
    bits.random_(-(2**63), None, generator=generator or current_generator())
    draws = bits.view(torch.int16)[:size]  # uniform in [-STEPS / 2, STEPS / 2)
    # Straight to numbers: a tensor of bool between would take longer than all the rest.
    noise = torch.le(draws, kept - STEPS // 2 - 1, out=torch.empty(size, dtype=dtype))
    return noise.mul_(STEPS / kept).view(shape)


class Dropout(nn.Module):
    """In training, zeroes each value with a probability and scales the others up; else the identity."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        if not self.training or self.probability == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.probability)
        return x * dropout_noise(x.shape, self.probability, x.dtype)
