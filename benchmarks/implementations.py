"""The measured implementations: ours as `sdt train` and `sdt predict` run it, and the textbook."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks import textbook
from benchmarks.settings import Setting, random_batch
from benchmarks.textbook import PaddedBatch, TextbookSDT
from benchmarks.workers import peak_memory, reset_peak_memory, seconds
from sdt.batch import Batch
from sdt.device import DeviceName, Precision, autocast, choose_device
from sdt.models.inference import calibrate
from sdt.training.averaging import weight_average
from sdt.training.environment import deterministic
from sdt.training.loop import Trainer
from sdt.training.optimizer import GradientStep, learning_rate, make_optimizer
from sdt.training.terms import TermModules, modules_for
from sdt.training.weights import class_weights


class Implementation(Protocol):
    """An implementation of the model and its training."""

    def prepare(self, batch: Batch) -> Any:  # noqa: ANN401 - each implementation has its own format
        """Convert a batch to the format of this implementation; not timed."""

    def train(self, batches: Sequence[Any]) -> None:
        """Train one step on each batch; timed."""

    def predict(self, batch: Any) -> None:  # noqa: ANN401
        """Compute the probabilities of a batch, on the CPU; timed."""


class Ours:
    """The trainer of `sdt train` in deterministic mode, and the forward pass of `sdt evaluate` and `sdt predict`."""

    def __init__(self, setting: Setting, device: torch.device, precision: Precision) -> None:
        torch.manual_seed(0)
        self.device, self.precision = device, precision
        self.model = setting.model().to(device)
        self.config = self.model.config
        training, objective = replace(setting.recipe.training, precision=precision), setting.recipe.objective
        sample = random_batch(setting, [9] * 8, 0)
        terms = modules_for(objective, self.model, sample, sample) if objective.added else TermModules({})
        self.trainer = Trainer(
            self.model,
            make_optimizer(self.model, training, {"terms": terms}),
            objective,
            training,
            class_weights(training.class_weights, setting.labels, ()),
            lambda step: learning_rate(training, step, 1_000_000),
            average=weight_average(self.model, training),
            term_modules=terms,
        )

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch unchanged."""
        return batch

    def train(self, batches: Sequence[Batch]) -> None:
        """Train an epoch, with its checks, running scores and gradient norm."""
        with deterministic():
            self.trainer.epoch(1, batches, 0, lambda _: None)

    def predict(self, batch: Batch) -> None:
        """Compute the calibrated probabilities of all classifiers, and the fusion weights if the model has them."""
        self.model.eval()
        with torch.inference_mode(), autocast(self.device, self.precision, self.model):
            output = self.model(batch.to(self.device))
            for name in self.model.classifier_names:
                calibrate(output.logits[name], self.config, name).cpu().numpy()
            if output.weights is not None:
                output.weights.float().mean(dim=-1).cpu().numpy()


class Textbook:
    """`benchmarks.textbook` with PyTorch's default Adam."""

    def __init__(self, setting: Setting, device: torch.device, precision: Precision) -> None:
        torch.manual_seed(0)
        self.device, settings, training = device, setting.recipe.model, setting.recipe.training
        self.autocast = torch.bfloat16 if precision == "bfloat16" else None
        self.temperature = setting.recipe.objective.temperature
        weights = class_weights(training.class_weights, setting.labels, ())
        self.class_weights = None if weights is None else weights.to(device)
        self.model = TextbookSDT(
            setting.widths,
            len(setting.labels),
            setting.speakers,
            settings.width,
            settings.heads,
            settings.dropout,
            learned_gates=settings.unimodal_gate == "learned",
        ).to(device)
        rate, decay = training.learning_rate, training.weight_decay
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate, weight_decay=decay)

    def prepare(self, batch: Batch) -> PaddedBatch:
        """Pad the batch."""
        return padded(batch, self.model.speakers.num_embeddings - 1)

    def train(self, batches: Sequence[PaddedBatch]) -> None:
        """Train one step on each batch."""
        self.model.train()
        for batch in batches:
            padded_batch = batch.to(self.device)
            self.step(
                textbook.total_loss(self.model, padded_batch, self.temperature, self.class_weights, self.autocast)
            )

    def step(self, loss: torch.Tensor) -> None:
        """Update the parameters with the textbook's optimizer."""
        textbook.train_step(self.optimizer, loss)

    def predict(self, batch: PaddedBatch) -> None:
        """Compute the probabilities of the fused classifier."""
        self.model.eval()
        textbook.predict(self.model, batch.to(self.device), self.autocast)


class TextbookWithOurs(Textbook):
    """The textbook with the optimizer of `sdt train`."""

    def __init__(self, setting: Setting, device: torch.device, precision: Precision) -> None:
        super().__init__(setting, device, precision)
        training = setting.recipe.training
        self.rate = training.learning_rate
        self.descent = GradientStep(make_optimizer(self.model, training), training.clip)

    def step(self, loss: torch.Tensor) -> None:
        """Update the parameters with our optimizer."""
        self.descent.step(loss, self.rate)
        loss.item()


def padded(batch: Batch, speakers: int) -> PaddedBatch:
    """Convert a packed batch to the padded one of the textbook: [N, ...] to [B, T, ...]."""
    lengths = batch.lengths.tolist()

    def pad(x: torch.Tensor, value: float = 0) -> torch.Tensor:
        return pad_sequence(list(x.split(lengths)), batch_first=True, padding_value=value)

    return PaddedBatch(
        features={name: pad(x) for name, x in batch.features.items()},
        mask=pad(torch.ones(len(batch), dtype=torch.bool)),
        speaker=pad(batch.speaker, speakers),
        label=pad(batch.label),
    )


IMPLEMENTATIONS: dict[str, type[Ours | Textbook]] = {
    "ours": Ours,
    "textbook": Textbook,
    "textbook, our optimizer": TextbookWithOurs,
}
NAMES = tuple(IMPLEMENTATIONS)


class Bench:
    """An implementation and its measurements; created in the measured process.

    Args:
        name: One of `IMPLEMENTATIONS`.
        setting: The model and its training settings.
        device: `cpu`, `cuda` or `auto`.
        precision: Precision of the matrix products.
    """

    def __init__(self, name: str, setting: Setting, device: DeviceName, precision: Precision) -> None:
        self.setting, self.device = setting, choose_device(device)
        self.implementation: Implementation = IMPLEMENTATIONS[name](setting, self.device, precision)

    def train(self, lengths: Sequence[Sequence[int]], seed: int) -> tuple[float, float]:
        """Train a step on every batch of conversations of these lengths.

        Returns:
            Seconds of wall time, and of processor time summed over cores, which is more reliable on a shared machine.
        """
        batches = self._batches(lengths, seed)
        begun = time.process_time()
        wall = seconds(lambda: self.implementation.train(batches), self.device)
        return wall, time.process_time() - begun

    def predict(self, lengths: Sequence[Sequence[int]], seed: int) -> list[float]:
        """The seconds that the prediction of each batch takes."""
        batches = self._batches(lengths, seed)
        return [seconds(partial(self.implementation.predict, batch), self.device) for batch in batches]

    def parameters(self) -> int:
        """The number of parameters of the model."""
        assert isinstance(self.implementation, Ours)
        return sum(parameter.numel() for parameter in self.implementation.model.parameters())

    def peak_memory(self) -> int:
        """The peak memory in bytes."""
        return peak_memory(self.device)

    def at_rest(self) -> int:
        """Reset the peak memory and return the current memory in bytes: parameters, and optimizer after training."""
        reset_peak_memory(self.device)
        return peak_memory(self.device)

    def _batches(self, lengths: Sequence[Sequence[int]], seed: int) -> list[Any]:
        batches = (random_batch(self.setting, of_batch, seed + number) for number, of_batch in enumerate(lengths))
        return [self.implementation.prepare(batch) for batch in batches]
