"""The hardware's limit: how fast a batch could be if nothing were done but what cannot be left out.

A training step needs the matrix products of its real utterances, forward and backward, and one pass of the optimizer
over the parameters. Products are counted for the mathematics, not for an implementation: no padding, no gradient with
respect to the input features, no product for a frozen gate. Attention's own products (scores and weighted sums, a few
percent in the longest conversations) and everything that works element by element are left out, so that the limit is
a little beyond what can be reached.

A prediction needs the forward products, and at least the time in which every parameter is read from memory once: of a
single conversation there are too few utterances to keep the arithmetic busy.
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
"""Numbers that Adam moves for each parameter: reads it, its gradient and two moments; writes it and the moments."""

BANDWIDTH_BYTES = 2**28
"""What is read to measure how fast memory is: far more than caches hold."""

AT_ONCE = 4
"""Products that a core does in a row where the cores are measured side by side."""

Call = Callable[[], object]


class Product(NamedTuple):
    """x [N, inputs] times W [inputs, outputs], several times for every utterance."""

    inputs: int
    outputs: int
    times: int
    gradient: bool = True
    """Whether x needs a gradient; features do not."""


def products(config: SDTConfig) -> list[Product]:
    """Every product of a model with a parameter matrix."""
    settings, classes = config.architecture, len(config.labels)
    d, M = settings.width, len(config.modalities)
    hidden = settings.feed_forward or d
    found = [Product(width, d, 1, gradient=False) for width in config.modalities.values()]
    for target in config.modalities:
        encoders = len(config.sources(target))
        layers = encoders * settings.layers
        found += [Product(d, d, 4 * layers), Product(d, hidden, layers), Product(hidden, d, layers)]
        if settings.unimodal_gate == "learned":
            found.append(Product(d, d, encoders))
        found.append(Product(encoders * d, d, 1))
    if settings.fusion == "gated" and M > 1:
        found.append(Product(d, d, M))
    fused = d * M if settings.fusion == "concatenation" else d
    return [*found, Product(fused, classes, 1), Product(d, classes, M)]


def training_flops(config: SDTConfig, utterances: int) -> int:
    """Of the products of a training step: y = x W, dW = x^T dy and, where x has a gradient, dx = dy W^T."""
    return sum(2 * utterances * p.inputs * p.outputs * p.times * (2 + p.gradient) for p in products(config))


def inference_flops(config: SDTConfig, utterances: int) -> int:
    """Of the products of a forward pass."""
    return sum(2 * utterances * p.inputs * p.outputs * p.times for p in products(config))


@dataclass(frozen=True)
class Limit:
    """What the machine can do on some training batches."""

    flops: int
    """Of the products of all the batches."""
    peak: float
    """FLOP/s of the fastest product among all the shapes in use."""
    products: float
    """Seconds of the products, each at the speed of its own shape."""
    optimizer: float
    """Seconds of one optimizer pass over the parameters."""
    traffic: float
    """Bytes per second that the optimizer pass moves."""
    steps: int

    @property
    def seconds(self) -> float:
        """The roofline time of the batches: all products at the peak, and the optimizer passes."""
        return self.flops / self.peak + self.steps * self.optimizer

    @property
    def own_seconds(self) -> float:
        """The same with every product at the speed of its own shape."""
        return self.products + self.steps * self.optimizer


@dataclass(frozen=True)
class ForwardLimit:
    """What the machine can do on some predictions."""

    seconds: float
    """The roofline time of all of them: for each, the products at the peak or the reading, whichever is longer."""
    peak: float
    """FLOP/s of the fastest product among all the shapes in use."""
    bandwidth: float
    """Bytes per second that are read from memory."""


class Roofline:
    """Measures limits; made in a process of its own beside the contenders."""

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
        """The limit of training steps on batches of so many utterances each."""
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
        """The limit of predictions of batches of so many utterances each."""
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
        """The products of one linear map, y, dW and dx; each makes calls that share nothing but what they read."""
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
        """The best time of a product: divided among the cores, or as many products at once as there are cores."""
        together = best_seconds(make(), repeats, self.device)
        cores = torch.get_num_threads()
        if self.device.type != "cpu" or cores == 1:
            return together
        calls = [make() for _ in range(cores)]
        try:
            at_once = best_seconds(lambda: list(self.pool.map(_on_one_core, calls)), repeats, self.device)
        finally:
            torch.set_num_threads(cores)
        return min(together, at_once / (cores * AT_ONCE))


def _on_one_core(call: Call) -> None:
    """Several calls in a row, so that starting them does not count."""
    torch.set_num_threads(1)
    for _ in range(AT_ONCE):
        call()
