"""The training loop of one epoch, in one process or in several that share every batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
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
from sdt.training.averaging import WeightAverage
from sdt.training.optimizer import GradientStep
from sdt.training.processes import SINGLE_PROCESS, Processes
from sdt.training.settings import Training
from sdt.training.terms import TermModules


class NotFiniteError(InputError):
    """The loss or the gradient became NaN or infinite."""


@dataclass(frozen=True)
class Step:
    """The results of a training step on one batch."""

    losses: dict[str, float]
    """Objective term to its value; `total` is the last."""
    students: dict[str, dict[str, float]]
    """Student to its contribution to the terms `hard` and `soft`."""
    gradient_norm: float
    """Norm of the gradient before clipping."""
    utterances: int
    """Number of utterances."""
    labelled: int
    """Number of labelled utterances."""


@dataclass
class Epoch:
    """The results of one epoch."""

    steps: list[Step] = field(default_factory=list)
    """The steps, in order."""
    scores: dict[str, Scores] = field(default_factory=dict)
    """Classifier to the scores of its predictions during training, with dropout and changing parameters."""

    @property
    def losses(self) -> dict[str, float]:
        """Mean losses over the labelled utterances, by term."""
        labelled = sum(step.labelled for step in self.steps)
        terms = self.steps[0].losses if self.steps else ()
        return {term: sum(step.losses[term] * step.labelled for step in self.steps) / labelled for term in terms}

    @property
    def students(self) -> dict[str, dict[str, float]]:
        """Student to its mean contribution to the terms `hard` and `soft` over the labelled utterances."""
        labelled = sum(step.labelled for step in self.steps)
        return {
            head: {term: sum(s.students[head][term] * s.labelled for s in self.steps) / labelled for term in terms}
            for head, terms in self.steps[0].students.items()
        }

    @property
    def gradient_norm(self) -> float:
        """Mean norm of the gradient over the batches."""
        return sum(step.gradient_norm for step in self.steps) / len(self.steps)


MAX_NOISE = 2.0
"""Maximum noise of `training.modality_noise`, in standard deviations of each feature."""


def epoch_seeds(seed: int, epoch: int, rank: int = 0) -> tuple[int, int]:
    """Derive the two seeds of an epoch, for data and dropout, so that no random state has to be saved.

    Args:
        seed: Seed of the run.
        epoch: Number of the epoch, from 1.
        rank: Rank of the process. The data seed does not depend on it, the dropout seed does.
    """
    data, dropout = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint64).tolist()
    if rank:
        dropout = int(np.random.SeedSequence((seed, epoch), spawn_key=(rank,)).generate_state(1, np.uint64)[0])
    return data, dropout


def drop_modalities(batch: Batch, probability: float, generator: torch.Generator) -> Batch:
    """Drop modalities of whole conversations at random; every conversation keeps at least one that it has.

    Args:
        batch: A batch of B conversations.
        probability: Probability of dropping each modality of a conversation.
        generator: Random generator.
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


def add_noise(batch: Batch, probability: float, generator: torch.Generator) -> Batch:
    """Add Gaussian noise to modalities of whole conversations at random.

    The noise has 0 to `MAX_NOISE` standard deviations of each feature in the batch, drawn uniformly, so that a gate can
    learn which modality is reliable.

    Args:
        batch: A batch of B conversations.
        probability: Probability of noise on each modality of a conversation.
        generator: Random generator.
    """
    if probability == 0:
        return batch
    features = {}
    for name, x in batch.features.items():
        present = batch.present[name]
        noisy, level = torch.rand(2, len(batch.lengths), generator=generator)  # [B]
        level = torch.where(noisy < probability, MAX_NOISE * level, 0.0).repeat_interleave(batch.lengths)  # [N]
        noise = torch.randn(x.shape, generator=generator) * level[:, None] * present[:, None]
        deviation = x[present].std(dim=0, correction=0) if present.any() else torch.zeros(x.shape[1])  # [D]
        features[name] = x + noise * deviation
    return replace(batch, features=features)


class _WithLoss(nn.Module):
    """A model with its loss as one module, because DistributedDataParallel derives the used parameters from outputs."""

    def __init__(
        self, model: Model, term_modules: TermModules, losses: Callable[[Batch, Batch | None], tuple[Tensor, ...]]
    ) -> None:
        super().__init__()
        self.model, self.term_modules, self.losses = model, term_modules, losses
        # With find_unused_parameters, PyTorch warns if no parameter is unused; this one always is.
        self.unused = nn.Parameter(torch.zeros(1, device=next(model.parameters()).device))

    def forward(self, batch: Batch, whole: Batch | None) -> tuple[Tensor, ...]:
        """See `Trainer._losses`."""
        return self.losses(batch, whole)


class Trainer:
    """Performs the training steps of an epoch: forward pass, loss, backward pass, optimizer step."""

    def __init__(
        self,
        model: Model,
        optimizer: torch.optim.Adam,
        objective: Objective,
        training: Training,
        class_weights: Tensor | None,
        rate: Callable[[int], float],
        processes: Processes = SINGLE_PROCESS,
        logit_offset: Tensor | None = None,
        average: WeightAverage | None = None,
        term_modules: TermModules | None = None,
    ) -> None:
        self.model = model
        self.objective = model.objective_for(model.config, objective)
        self.terms: tuple[str, ...] = ()
        """Names of the losses, `total` last; set by the first batch."""
        self.classifiers = model.classifier_names
        self.students = tuple(name for name in self.classifiers if name != FUSED)
        self.training = training
        self.device = next(model.parameters()).device
        self.class_weights = None if class_weights is None else class_weights.to(self.device)
        self.logit_offset = None if logit_offset is None else logit_offset.to(self.device)
        """See `sdt.models.balance`."""
        self.term_modules = TermModules({}) if term_modules is None else term_modules
        self.average = average or WeightAverage(model)
        self.processes = processes
        accumulated = processes.size > 1 or training.accumulation > 1
        self.gradient_step = GradientStep(optimizer, training.clip, accumulated=accumulated)
        self.rate = rate
        """Step of the run to learning rate."""

    @cached_property
    def _compute(self) -> Callable[[Batch, Batch | None], tuple[Tensor, ...]]:
        """`_losses` with gradients averaged over the processes; created at the first step, collective."""
        if self.processes.size == 1:
            return self._losses
        return self.processes.average_gradients(_WithLoss(self.model, self.term_modules, self._losses))

    def epoch(self, number: int, batches: Iterable[Batch], first_step: int, done: Callable[[Step], object]) -> Epoch:
        """Train on every batch once.

        Args:
            number: Number of the epoch, from 1, for messages.
            batches: Batches on the CPU; the same in every process.
            first_step: Number of previous steps of the run.
            done: Called for every batch, in order; on a GPU with a delay of up to 8 batches.

        Raises:
            NotFiniteError: A loss or a gradient is NaN or infinite; the message names epoch, batch and conversations.
            KeyboardInterrupt, LostProcessError: See `Processes.sum`.
        """
        self.model.train()
        epoch = Epoch()
        names = self.model.config.labels
        confusions = torch.zeros(len(self.classifiers), len(names), len(names), dtype=torch.int64)
        pending: list[tuple[Tensor, Batch, Tensor, Tensor]] = []
        # Reading a number synchronises with the GPU; reading those of several batches at once keeps it busy.
        delay = 1 if self.device.type == "cpu" else 8

        def collect() -> None:
            table = self.processes.sum(torch.stack([x for x, *_ in pending]))
            for numbers, (_, batch, classes, label) in zip(table.tolist(), pending, strict=True):
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
            pending.clear()

        for index, batch in enumerate(batches):
            parts = self._parts(batch)
            classes, numbers = self._step(parts, self.rate(first_step + index))
            self.average.after_step(first_step + index + 1)
            pending.append((numbers, batch, classes, torch.cat([part.batch.label for part in parts])))
            if len(pending) == delay:
                collect()
        if pending:
            collect()
        self.average.after_epoch()
        found = self.processes.sum(confusions).numpy()
        epoch.scores = {head: score_confusion(of, names) for head, of in zip(self.classifiers, found, strict=True)}
        return epoch

    def _parts(self, batch: Batch) -> list[Shard]:
        """The parts of a batch that this process computes one after the other; see `Training.accumulation`.

        All processes have the same number of parts, because they average the gradient of the last one.
        """
        size = self.processes.size
        count = min(self.training.accumulation, max(1, len(batch.lengths) // size))
        return [shard(batch, self.processes.rank + size * part, size * count) for part in range(count)]

    def _step(self, parts: Sequence[Shard], rate: float) -> tuple[Tensor, Tensor]:
        """Train on the parts of one batch.

        Returns:
            The classes predicted by the H classifiers, [H, n]; and this process' share of the losses, the gradient
            norm and each student's two losses.
        """
        whole = None
        if parts[0].batch is not parts[0].whole:
            whole = replace(parts[0].whole, features={}, present={}).to(self.device)
        *before, last = parts
        with self.processes.detecting_lost():
            done = []
            for part in before:
                with self.processes.summing_locally(self._compute):
                    total, *found = self._compute(part.batch.to(self.device), whole)
                    self.gradient_step.accumulate(total)
                done.append(found)
            total, *found = self._compute(last.batch.to(self.device), whole)
            norm = self.gradient_step.step(total, rate)
        losses, students, classes = found
        for of_part in done:  # each part has its contribution to the losses of the batch
            losses, students = losses + of_part[0], students + of_part[1]
        classes = torch.cat([*(of_part[2] for of_part in done), classes], dim=1)
        # Every process has the norm; the others add 0 to the sum over processes.
        norm = norm.detach() if self.processes.first else torch.zeros_like(norm)
        return classes, torch.cat([losses, norm[None], students])

    def _losses(self, batch: Batch, whole: Batch | None) -> tuple[Tensor, ...]:
        """Compute the losses of a batch.

        Args:
            batch: The shard of this process.
            whole: The whole batch without features; None if the shard is the whole batch.

        Returns:
            A scalar to minimise, whose gradient averaged over the processes is that of the loss; and, detached, the
            losses, each student's two losses, and the predicted classes [H, n] of the H classifiers.
        """
        with autocast(self.device, self.training.precision, self.model):
            output = check_output(self.model, self.model(batch), len(batch))
        # Models with their own loss do not have the last argument.
        offset = () if self.logit_offset is None else (self.logit_offset,)
        all_labels = None if whole is None else whole.label
        losses = self.model.loss(output, batch.label, self.objective, self.class_weights, all_labels, *offset)
        losses = self.term_modules.add_to(losses, output, batch, self.objective, self.class_weights, whole)
        self.terms = (*losses.terms, "total")
        terms = torch.stack([value.detach() for value in (*losses.terms.values(), losses.total)])
        classes = torch.stack([output.logits[name].detach().argmax(dim=1) for name in self.classifiers])  # [H, n]
        total = losses.total if whole is None else losses.total * self.processes.size
        return total, terms, losses.students.flatten(), classes


def _confusions(classes: Tensor, label: Tensor, count: int) -> Tensor:
    """Confusion matrices [H, C, C] of predicted classes [H, n] and labels [n]."""
    valid = label != UNLABELLED
    cells = label[valid] * count + classes[:, valid]  # [H, labelled]
    return torch.stack([torch.bincount(row, minlength=count * count) for row in cells]).view(-1, count, count)


def _not_finite(epoch: int, number: int, batch: Batch, loss: float, norm: float) -> NotFiniteError:
    value = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient norm is {norm}"
    return NotFiniteError(
        f"epoch {epoch}, batch {number}: {value}; conversations {', '.join(batch.conversations)}; check them for "
        "extreme features (sdt corpus check), lower training.learning_rate, or set training.clip"
    )
