"""The roofline: a lower bound of the time of a batch on the hardware.

A training step needs the matrix products of its valid utterances, forward and backward, and one pass of the optimizer
over the parameters. Products are counted for the formulas, not for an implementation: without padding, gradients of the
input features, or products of a frozen gate. The products inside attention (scores and weighted sums, a few percent in
the longest conversations) and all element-wise operations are excluded, so no implementation can reach the bound.

A prediction needs the forward products, and at least the time to read every parameter from memory once, which dominates
for a single short conversation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.settings import Setting
from benchmarks.workers import best_seconds
from sdt.device import DeviceName, Precision, choose_device
from sdt.models.config import SDTConfig
from sdt.models.sdt.model import SDT
from sdt.training.checkpoint import trainable_parameters
from sdt.training.optimizer import make_optimizer

ADAM_TRAFFIC = 7
"""Numbers that Adam moves per parameter: reads of parameter, gradient and moments; writes of parameter and moments."""

BANDWIDTH_BYTES = 2**28
"""Size of the array for the measurement of memory bandwidth; much larger than the caches."""

CALLS_PER_CORE = 4
"""Products per core in a row, if all cores are measured in parallel."""

Call = Callable[[], object]


class MatrixProduct(NamedTuple):
    """x [N, inputs] times W [inputs, outputs], computed `times` times per utterance."""

    inputs: int
    outputs: int
    times: int
    gradient: bool = True
    """Whether x needs a gradient; input features do not."""


def products(config: SDTConfig) -> list[MatrixProduct]:
    """All products of a model with parameter matrices."""
    settings, classes = config.architecture, len(config.labels)
    d, M = settings.width, len(config.modalities)
    hidden = settings.feed_forward or d
    found = [MatrixProduct(width, d, 1, gradient=False) for width in config.modalities.values()]
    for target in config.modalities:
        encoders = len(config.sources(target))
        layers = encoders * settings.layers
        found += [MatrixProduct(d, d, 4 * layers), MatrixProduct(d, hidden, layers), MatrixProduct(hidden, d, layers)]
        if settings.unimodal_gate == "learned":
            found.append(MatrixProduct(d, d, encoders))
        found.append(MatrixProduct(encoders * d, d, 1))
    if settings.fusion == "gated" and M > 1:
        found.append(MatrixProduct(d, d, M))
    fused = d * M if settings.fusion == "concatenation" else d
    return [*found, MatrixProduct(fused, classes, 1), MatrixProduct(d, classes, M)]


def training_flops(config: SDTConfig, utterances: int) -> int:
    """FLOPs of the products of a training step: y = x W, dW = x^T dy and, if x needs a gradient, dx = dy W^T."""
    return sum(2 * utterances * p.inputs * p.outputs * p.times * (2 + p.gradient) for p in products(config))


def inference_flops(config: SDTConfig, utterances: int) -> int:
    """FLOPs of the products of a forward pass."""
    return sum(2 * utterances * p.inputs * p.outputs * p.times for p in products(config))


@dataclass(frozen=True)
class Limit:
    """The bound for some training batches."""

    flops: int
    """FLOPs of the products of all batches."""
    peak: float
    """FLOP/s of the fastest product of all shapes."""
    products: float
    """Seconds of the products, each at the speed of its shape."""
    optimizer: float
    """Seconds of one pass of the optimizer."""
    traffic: float
    """Bytes per second of the optimizer."""
    steps: int

    @property
    def seconds(self) -> float:
        """The bound: all products at the peak speed, and the passes of the optimizer."""
        return self.flops / self.peak + self.steps * self.optimizer

    @property
    def own_seconds(self) -> float:
        """The bound with every product at the speed of its shape."""
        return self.products + self.steps * self.optimizer


@dataclass(frozen=True)
class ForwardLimit:
    """The bound for some predictions."""

    seconds: float
    """The bound: for each prediction, the products at the peak speed or the read time, whichever is longer."""
    peak: float
    """FLOP/s of the fastest product of all shapes."""
    bandwidth: float
    """Bytes per second of reads from memory."""


class Roofline:
    """Measures bounds, in a separate process."""

    def __init__(self, setting: Setting, device: DeviceName, precision: Precision) -> None:
        self.config, self.device = setting.config, choose_device(device)
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        model = SDT(self.config).to(self.device)
        self.optimizer = make_optimizer(model, setting.recipe.training)
        self.parameters = sum(p.numel() for p in trainable_parameters(model).values())
        self.pool = ThreadPoolExecutor(torch.get_num_threads())
        for parameter in trainable_parameters(model).values():
            parameter.grad = torch.randn_like(parameter)

    def training(self, utterances: Sequence[int], repeats: int = 5) -> Limit:
        """The bound of training steps on batches with these numbers of utterances."""
        shapes: Counter[tuple[int, int, bool]] = Counter()
        for inputs, outputs, times, gradient in products(self.config):
            shapes[inputs, outputs, gradient] += times
        peak, needed = 0.0, 0.0
        for N in utterances:
            for (inputs, outputs, gradient), times in shapes.items():
                calls = self._calls(N, inputs, outputs)[: 2 + gradient]
                found = [self._best(call, repeats) for call in calls]
                peak = max(peak, 2 * N * inputs * outputs / min(found))
                needed += times * sum(found)
        optimizer = best_seconds(self.optimizer.step, repeats, self.device)
        flops = sum(training_flops(self.config, N) for N in utterances)
        traffic = ADAM_TRAFFIC * 4 * self.parameters / optimizer
        return Limit(flops, peak, needed, optimizer, traffic, len(utterances))

    def inference(self, utterances: Sequence[int], repeats: int = 5) -> ForwardLimit:
        """The bound of predictions of batches with these numbers of utterances."""
        shapes = {(inputs, outputs) for inputs, outputs, _, _ in products(self.config)}
        peak = 0.0
        for N in set(utterances):
            for inputs, outputs in shapes:
                forward = self._calls(N, inputs, outputs)[0]
                peak = max(peak, 2 * N * inputs * outputs / self._best(forward, repeats))
        memory = torch.ones(BANDWIDTH_BYTES // 4, device=self.device)
        bandwidth = BANDWIDTH_BYTES / best_seconds(memory.sum, repeats, self.device)
        reading = 4 * self.parameters / bandwidth
        seconds = sum(max(inference_flops(self.config, N) / peak, reading) for N in utterances)
        return ForwardLimit(seconds, peak, bandwidth)

    def _calls(self, N: int, inputs: int, outputs: int) -> list[Callable[[], Call]]:
        """Factories of calls for the products y, dW and dx of a linear map; calls share only their inputs."""
        x, dy, weight = (
            torch.randn(shape, device=self.device, dtype=self.dtype)
            for shape in ((N, inputs), (N, outputs), (outputs, inputs))
        )
        return [
            lambda: partial(torch.mm, x, weight.t(), out=torch.empty_like(dy)),
            lambda: partial(torch.mm, dy.t(), x, out=torch.empty_like(weight)),
            lambda: partial(torch.mm, dy, weight, out=torch.empty_like(x)),
        ]

    def _best(self, make: Callable[[], Call], repeats: int) -> float:
        """The shortest time of a product: divided among the cores, or one product per core in parallel."""
        together = best_seconds(make(), repeats, self.device)
        cores = torch.get_num_threads()
        if self.device.type != "cpu" or cores == 1:
            return together
        calls = [make() for _ in range(cores)]
        try:
            in_parallel = best_seconds(lambda: list(self.pool.map(_on_one_core, calls)), repeats, self.device)
        finally:
            torch.set_num_threads(cores)
        return min(together, in_parallel / (cores * CALLS_PER_CORE))


def _on_one_core(call: Call) -> None:
    """Run several calls in a row, so that the start of the thread is negligible."""
    torch.set_num_threads(1)
    for _ in range(CALLS_PER_CORE):
        call()
