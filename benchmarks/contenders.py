"""Who is measured: our program as `sdt train` and `sdt predict` run it, and the textbook."""

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
from benchmarks.workers import forget_peak_memory, peak_memory, seconds
from sdt.batch import Batch
from sdt.device import DeviceName, Precision, autocast, choose_device
from sdt.models.inference import calibrate
from sdt.training.environment import deterministic
from sdt.training.loop import Trainer
from sdt.training.optimizer import GradientStep, learning_rate, make_optimizer
from sdt.training.weights import class_weights


class Contender(Protocol):
    """One implementation of model and training."""

    def prepare(self, batch: Batch) -> Any:  # noqa: ANN401 - in what form is its own affair
        """A batch as this implementation takes it; not timed."""

    def train(self, batches: Sequence[Any]) -> None:
        """A step on each batch; timed."""

    def predict(self, batch: Any) -> None:  # noqa: ANN401
        """The probabilities of a batch, on the CPU; timed."""


class Ours:
    """The trainer of `sdt train`, in its deterministic mode; the forward pass of `sdt evaluate` and `sdt predict`."""

    def __init__(self, setting: Setting, device: torch.device, precision: Precision) -> None:
        torch.manual_seed(0)
        self.device, self.precision = device, precision
        self.model = setting.model().to(device)
        self.config = self.model.config
        training = replace(setting.recipe.training, precision=precision)
        self.trainer = Trainer(
            self.model,
            make_optimizer(self.model, training),
            setting.recipe.objective,
            training,
            class_weights(training.class_weights, setting.labels, ()),
            lambda step: learning_rate(training, step, 1_000_000),
        )

    def prepare(self, batch: Batch) -> Batch:
        """As it is."""
        return batch

    def train(self, batches: Sequence[Batch]) -> None:
        """What an epoch does, with its checks, running scores and gradient norm."""
        with deterministic():
            self.trainer.epoch(1, batches, 0, lambda _: None)

    def predict(self, batch: Batch) -> None:
        """Calibrated probabilities of all heads and, if there are any, the modalities' weights."""
        self.model.eval()
        with torch.inference_mode(), autocast(self.device, self.precision):
            output = self.model(batch.to(self.device))
            for head in self.model.classifier_names:
                calibrate(output.logits[head], self.config, head).cpu().numpy()
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
        """Padded."""
        return padded(batch, self.model.speakers.num_embeddings - 1)

    def train(self, batches: Sequence[PaddedBatch]) -> None:
        """A step for each."""
        self.model.train()
        for batch in batches:
            there = batch.to(self.device)
            self.step(textbook.total_loss(self.model, there, self.temperature, self.class_weights, self.autocast))

    def step(self, loss: torch.Tensor) -> None:
        """The textbook's own."""
        textbook.train_step(self.optimizer, loss)

    def predict(self, batch: PaddedBatch) -> None:
        """Probabilities of the fused head."""
        self.model.eval()
        textbook.predict(self.model, batch.to(self.device), self.autocast)


class TextbookWithOurs(Textbook):
    """The same with the optimizer of `sdt train`, applied as there."""

    def __init__(self, setting: Setting, device: torch.device, precision: Precision) -> None:
        super().__init__(setting, device, precision)
        training = setting.recipe.training
        self.rate = training.learning_rate
        self.descent = GradientStep(make_optimizer(self.model, training), training.clip)

    def step(self, loss: torch.Tensor) -> None:
        """Ours."""
        self.descent.step(loss, self.rate)
        loss.item()


def padded(batch: Batch, speakers: int) -> PaddedBatch:
    """A packed batch as the textbook wants it: [N, ...] to [B, T, ...]."""
    lengths = batch.lengths.tolist()

    def pad(x: torch.Tensor, value: float = 0) -> torch.Tensor:
        return pad_sequence(list(x.split(lengths)), batch_first=True, padding_value=value)

    return PaddedBatch(
        features={name: pad(x) for name, x in batch.features.items()},
        mask=pad(torch.ones(len(batch), dtype=torch.bool)),
        speaker=pad(batch.speaker, speakers),
        label=pad(batch.label),
    )


CONTENDERS: dict[str, type[Ours | Textbook]] = {
    "ours": Ours,
    "textbook": Textbook,
    "textbook, our optimizer": TextbookWithOurs,
}
NAMES = tuple(CONTENDERS)


class Bench:
    """A contender with what measures it; made in the process that is measured.

    Args:
        name: One of `CONTENDERS`.
        setting: The model and its training.
        device: `cpu`, `cuda` or `auto`.
        precision: Of the matrix products.
    """

    def __init__(self, name: str, setting: Setting, device: DeviceName, precision: Precision) -> None:
        self.setting, self.device = setting, choose_device(device)
        self.contender: Contender = CONTENDERS[name](setting, self.device, precision)

    def train(self, lengths: Sequence[Sequence[int]], seed: int) -> tuple[float, float]:
        """A training step on every batch of conversations of these lengths.

        Returns:
            Seconds by the clock on the wall, and of processor time, all cores together. On a machine that others use,
            too, the latter says more.
        """
        batches = self._batches(lengths, seed)
        begun = time.process_time()
        wall = seconds(lambda: self.contender.train(batches), self.device)
        return wall, time.process_time() - begun

    def predict(self, lengths: Sequence[Sequence[int]], seed: int) -> list[float]:
        """Seconds of the prediction of each batch."""
        batches = self._batches(lengths, seed)
        return [seconds(partial(self.contender.predict, batch), self.device) for batch in batches]

    def parameters(self) -> int:
        """How many the model has."""
        assert isinstance(self.contender, Ours)
        return sum(parameter.numel() for parameter in self.contender.model.parameters())

    def peak_memory(self) -> int:
        """Bytes."""
        return peak_memory(self.device)

    def at_rest(self) -> int:
        """Bytes that are held now: parameters and, once it has trained, the optimizer; from here on the peak counts."""
        forget_peak_memory(self.device)
        return peak_memory(self.device)

    def _batches(self, lengths: Sequence[Sequence[int]], seed: int) -> list[Any]:
        batches = (random_batch(self.setting, of_batch, seed + number) for number, of_batch in enumerate(lengths))
        return [self.contender.prepare(batch) for batch in batches]
