"""Dropout with fast random numbers on a CPU.

On a CPU, PyTorch draws Bernoulli numbers one at a time (about 13 ns each), which takes a tenth of a training step at
the published model size. This module draws four values from every 64 random bits of the same generator, so
`torch.manual_seed` still determines them. With 16 bits per value, the keep probability is a multiple of 2^-16; kept
values are divided by exactly that probability, so the expectation is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 1 << 16
"""Number of different values of a 16-bit draw."""

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def seeded_dropout(seed: int) -> Iterator[None]:
    """Context manager in which dropout of this thread draws from a separate generator, independent of other threads."""
    token = _generator.set(torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        _generator.reset(token)


def current_generator() -> torch.Generator | None:
    """The generator of dropout noise in this thread; None for PyTorch's default generator."""
    return _generator.get()


def dropout_noise(
    shape: Sequence[int],
    probability: float,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the factors by which dropout multiplies a tensor on the CPU.

    Args:
        shape: Shape of the tensor.
        probability: Probability of a zero, in [0, 1).
        dtype: Data type of the tensor.
        generator: Source of random bits; None for `current_generator`.

    Returns:
        0 with the given probability, else the inverse of the keep probability.
    """
    size = torch.Size(shape).numel()
    kept = min(max(round((1 - probability) * STEPS), 1), STEPS)
    bits = torch.empty(-(-size // 4), dtype=torch.int64)
    bits.random_(-(2**63), None, generator=generator or current_generator())
    draws = bits.view(torch.int16)[:size]  # uniform in [-STEPS / 2, STEPS / 2)
    # Written directly as floats: an intermediate bool tensor would take longer than everything else here.
    noise = torch.le(draws, kept - STEPS // 2 - 1, out=torch.empty(size, dtype=dtype))
    return noise.mul_(STEPS / kept).view(shape)


class Dropout(nn.Module):
    """Dropout layer: in training, zeroes values with a probability and scales the others; otherwise the identity."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Apply dropout to a tensor of any shape."""
        if not self.training or self.probability == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.probability)
        return x * dropout_noise(x.shape, self.probability, x.dtype)
