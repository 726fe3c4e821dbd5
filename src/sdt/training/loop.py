"""One epoch of training, in one process or in several that share every batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.conversation import UNLABELLED
from sdt.corpus.batches import Shard, shard
from sdt.device import autocast
from sdt.errors import InputError
from sdt.evaluation.scores import Scores, score_confusion
from sdt.models.base import Model, check_output
from sdt.models.config import FUSED
from sdt.models.objective import Objective
from sdt.training.optimizer import Descent
from sdt.training.processes import ALONE, Processes
from sdt.training.settings import Training


class NotFiniteError(InputError):
    """The loss or the gradient became NaN or infinite."""


@dataclass(frozen=True)
class Step:
    """What a batch came to."""

    losses: dict[str, float]
    """Term of the objective to its value, then `total`."""
    students: dict[str, dict[str, float]]
    """Student to what it adds to the terms `hard` and `soft`."""
    gradient_norm: float
    """Before clipping."""
    utterances: int
    labelled: int


@dataclass
class Epoch:
    """What an epoch came to."""

    steps: list[Step] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    """Of every head, as predicted while training: with dropout, by parameters that changed from batch to batch."""

    @property
    def losses(self) -> dict[str, float]:
        """The mean over the labelled utterances, by term."""
        labelled = sum(step.labelled for step in self.steps)
        terms = self.steps[0].losses if self.steps else ()
        return {term: sum(step.losses[term] * step.labelled for step in self.steps) / labelled for term in terms}

    @property
    def students(self) -> dict[str, dict[str, float]]:
        """Student to the means over the labelled utterances of what it adds to the terms `hard` and `soft`."""
        labelled = sum(step.labelled for step in self.steps)
        return {
            head: {term: sum(s.students[head][term] * s.labelled for s in self.steps) / labelled for term in terms}
            for head, terms in self.steps[0].students.items()
        }

    @property
    def gradient_norm(self) -> float:
        """The mean over the batches."""
        return sum(step.gradient_norm for step in self.steps) / len(self.steps)


def epoch_seeds(seed: int, epoch: int, rank: int = 0) -> tuple[int, int]:
    """Two independent seeds of an epoch, for the data and for dropout; so no random state has to be saved.

    The data are the same for every process, dropout is that of the process with this number.
    """
    data, dropout = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint64).tolist()
    if rank:
        dropout = int(np.random.SeedSequence((seed, epoch), spawn_key=(rank,)).generate_state(1, np.uint64)[0])
    return data, dropout


def drop_modalities(batch: Batch, probability: float, generator: torch.Generator) -> Batch:
    """Take whole modalities away from conversations, each with the same probability.

    Every conversation keeps at least one of the modalities that it has.
    """
    if probability == 0:
        return batch
    names = list(batch.present)
    bounds = batch.lengths.cumsum(0).tolist()
    keep = torch.rand(len(bounds), len(names), generator=generator) >= probability  # [B, M]
    favourite = torch.rand(len(bounds), len(names), generator=generator)  # [B, M]
    present = {name: mask.clone() for name, mask in batch.present.items()}
    for row, (first, end) in enumerate(zip([0, *bounds], bounds, strict=False)):
        has = torch.stack([batch.present[name][first:end].any() for name in names])  # [M]
        if not (keep[row] & has).any():
            keep[row, (favourite[row] * has).argmax()] = True
        for column, name in enumerate(names):
            present[name][first:end] &= keep[row, column]
    features = {name: x * present[name][:, None] for name, x in batch.features.items()}
    return replace(batch, features=features, present=present)


class _WithLoss(nn.Module):
    """A model and its loss in one: what PyTorch averages gradients of has to know what the loss depends on."""

    def __init__(self, model: Model, losses: Callable[[Batch, Tensor | None], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.model, self.losses = model, losses
        # PyTorch looks for parameters that a step leaves out, and warns at length where there are none.
        self.left_out = nn.Parameter(torch.zeros(1, device=next(model.parameters()).device))

    def forward(self, batch: Batch, whole: Tensor | None) -> tuple[Tensor, ...]:
        """See `Trainer._losses`."""
        return self.losses(batch, whole)


class Trainer:
    """The steps of an epoch: forward, loss, gradient, optimizer."""

    def __init__(
        self,
        model: Model,
        optimizer: torch.optim.Adam,
        objective: Objective,
        training: Training,
        class_weights: Tensor | None,
        rate: Callable[[int], float],
        processes: Processes = ALONE,
    ) -> None:
        self.model = model
        self.objective = model.objective_for(model.config, objective)
        self.terms: tuple[str, ...] = ()
        """Names of the losses, `total` last; known after the first batch."""
        self.classifiers = model.classifier_names
        self.students = tuple(name for name in self.classifiers if name != FUSED)
        self.training = training
        self.device = next(model.parameters()).device
        self.class_weights = None if class_weights is None else class_weights.to(self.device)
        self.processes = processes
        self.descent = Descent(optimizer, training.clip, averaged=processes.size > 1)
        self.rate = rate
        """Step of the run to learning rate."""

    @cached_property
    def _compute(self) -> Callable[[Batch, Tensor | None], tuple[Tensor, ...]]:
        """`_losses`, such that the gradient is that of all processes; made at the first step, together."""
        if self.processes.size == 1:
            return self._losses
        return self.processes.averaging(_WithLoss(self.model, self._losses))

    def epoch(self, number: int, batches: Iterable[Batch], first_step: int, done: Callable[[Step], object]) -> Epoch:
        """Train on every batch once.

        Args:
            number: Of the epoch, from 1, for messages.
            batches: On the CPU; the same in every process.
            first_step: Steps of the run so far.
            done: Called for every batch, in order, perhaps some batches later.

        Raises:
            NotFiniteError: A loss or a gradient is NaN or infinite; names epoch, batch and conversations.
            KeyboardInterrupt, LostProcessError: See `Processes.sum`.
        """
        self.model.train()
        epoch = Epoch()
        names = self.model.config.labels
        confusions = torch.zeros(len(self.classifiers), len(names), len(names), dtype=torch.int64)
        waiting: list[tuple[Tensor, Batch, Tensor, Tensor]] = []
        # Reading a number from a GPU waits for it to finish; asking once for several batches keeps it busy.
        patience = 1 if self.device.type == "cpu" else 8

        def look() -> None:
            table = self.processes.sum(torch.stack([x for x, *_ in waiting]))
            for numbers, (_, batch, classes, label) in zip(table.tolist(), waiting, strict=True):
                *losses, norm = numbers[: len(self.terms) + 1]
                if not all(map(math.isfinite, (*losses, norm))):
                    raise _not_finite(number, len(epoch.steps) + 1, batch, losses[-1], norm)
                labelled = int((batch.label != UNLABELLED).sum())
                rest = iter(numbers[len(self.terms) + 1 :])
                students = {head: {"hard": next(rest), "soft": next(rest)} for head in self.students}
                step = Step(dict(zip(self.terms, losses, strict=True)), students, norm, len(batch), labelled)
                confusions.add_(_confusions(classes.cpu(), label, len(names)))
                epoch.steps.append(step)
                done(step)
            waiting.clear()

        for index, batch in enumerate(batches):
            share = shard(batch, self.processes.rank, self.processes.size)
            classes, numbers = self._step(share, self.rate(first_step + index))
            waiting.append((numbers, batch, classes, share.batch.label))
            if len(waiting) == patience:
                look()
        if waiting:
            look()
        found = self.processes.sum(confusions).numpy()
        epoch.scores = {head: score_confusion(of, names) for head, of in zip(self.classifiers, found, strict=True)}
        return epoch

    def _step(self, share: Shard, rate: float) -> tuple[Tensor, Tensor]:
        """One batch.

        Returns:
            The classes that the heads predict, [heads, n]; and this process' part of the losses, of the gradient's
            norm, and of each student's two losses.
        """
        whole = None if share.batch is share.whole else share.whole.label.to(self.device)
        with self.processes.watching():
            total, losses, students, classes = self._compute(share.batch.to(self.device), whole)
            norm = self.descent.step(total, rate)
        # Every process knows the norm; one of them says it.
        norm = norm.detach() if self.processes.first else torch.zeros_like(norm)
        return classes, torch.cat([losses, norm[None], students])

    def _losses(self, batch: Batch, whole: Tensor | None) -> tuple[Tensor, ...]:
        """Forward.

        Args:
            batch: This process' share.
            whole: The labels of the whole batch, where that is more.

        Returns:
            What to go down, a scalar whose gradient's mean over the processes is that of the loss; and without
            gradients the losses, each student's two, and the classes that the heads predict, [heads, n].
        """
        with autocast(self.device, self.training.precision):
            output = check_output(self.model, self.model(batch), len(batch))
        losses = self.model.loss(output, batch.label, self.objective, self.class_weights, whole)
        self.terms = (*losses.terms, "total")
        terms = torch.stack([value.detach() for value in (*losses.terms.values(), losses.total)])
        classes = torch.stack(
            [output.logits[head].detach().argmax(dim=1) for head in self.model.classifier_names]
        )  # [heads, n]
        total = losses.total if whole is None else losses.total * self.processes.size
        return total, terms, losses.students.flatten(), classes


def _confusions(classes: Tensor, label: Tensor, count: int) -> Tensor:
    """The confusion matrices [heads, C, C] of classes that the heads predict, [heads, n], for labels [n]."""
    valid = label != UNLABELLED
    cells = label[valid] * count + classes[:, valid]  # [heads, labelled]
    return torch.stack([torch.bincount(of, minlength=count * count) for of in cells]).view(-1, count, count)


def _not_finite(epoch: int, number: int, batch: Batch, loss: float, norm: float) -> NotFiniteError:
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
    return NotFiniteError(
        f"epoch {epoch}, batch {number}: {what}; conversations {', '.join(batch.conversations)}; look for extreme "
        "features there (sdt corpus check), or lower training.learning_rate, or set training.clip"
    )
