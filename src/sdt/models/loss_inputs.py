"""What the terms of the objective receive and return; `sdt.models.objective` has the terms.

A term is a function of `LossInputs`. A term with parameters or with a state of its own brings a module instead, whose
`forward` takes `LossInputs`: `ObjectiveTerm(module=Head)`, where `Head(TermContext)` makes the module. The optimizer
updates its parameters, and checkpoints contain its parameters and persistent buffers; the saved model does not, because
prediction does not need them.

Shapes: N utterances, C labels, S students, d width of a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.balance import Balance
from sdt.models.config import Objective


@dataclass(frozen=True)
class Losses:
    """The scalar loss of a batch and its terms."""

    total: Tensor
    """Weighted sum of the terms."""
    terms: Mapping[str, Tensor]
    """Name to value, before weighting."""
    students: Tensor
    """[S, 2]; contribution of each student to `hard` and `soft`, in the order of the logits; detached."""

    @property
    def task(self) -> Tensor:
        """Cross-entropy of the fused classifier."""
        return self.terms["task"]

    @property
    def hard(self) -> Tensor:
        """Sum of the students' cross-entropies."""
        return self.terms["hard"]

    @property
    def soft(self) -> Tensor:
        """Sum of the students' divergences from the teacher."""
        return self.terms["soft"]


@dataclass(frozen=True, eq=False)
class LossInputs:
    """The inputs of an objective term."""

    teacher: Tensor
    """[N, C] logits of the fused classifier, float32."""
    students: Mapping[str, Tensor]
    """Modality to the logits [N, C] of its classifier, float32."""
    label: Tensor
    """[N] int64; `UNLABELLED` for utterances to ignore."""
    objective: Objective
    class_weights: Tensor | None = None
    """[C]; cross-entropies are divided by the sum of the weights of the labels. None for equal weights."""
    all_labels: Tensor | None = None
    """Labels of the whole batch if the N utterances are a shard of it; a term is then the shard's contribution to the
    term of the whole batch."""
    logit_offset: Tensor | None = None
    """[C]; added to the logits in cross-entropies; see `sdt.models.balance`. None for nothing."""
    states: Mapping[str, Tensor] = field(default_factory=dict)
    """Name to state [N, d] of `Output.states`, float32; only for modules."""
    batch: Batch | None = None
    """Speakers and lengths of the N utterances; only for modules."""
    whole: Batch | None = None
    """The whole batch without features if the N utterances are a shard of it; only for modules."""

    @cached_property
    def labelled(self) -> Tensor:
        """[N] float; 1 for labelled utterances."""
        return (self.label != UNLABELLED).float()

    def mean(self, values: Tensor) -> Tensor:
        """Mean of values [..., N] over the labelled utterances; 0 if there are none."""
        labelled = self.labelled if self.all_labels is None else (self.all_labels != UNLABELLED).float()
        return (values * self.labelled).sum(dim=-1) / labelled.sum().clamp(min=1)

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """(Weighted) mean cross-entropy of logits [N, C] over the labelled utterances; 0 if there are none.

        With `objective.balance`, see `sdt.models.balance`. With `objective.label_smoothing` epsilon, the target of an
        utterance with label y is 1 - epsilon for y, plus epsilon / C for every class (Szegedy et al. 2016, arXiv
        1512.00567, section 7); class weights multiply the term of each class, as in PyTorch. Uses a mask: selecting
        rows would synchronise the GPU with the host to get the number of rows.
        """
        chosen = self.label.clamp(min=0)  # [N]
        weight = _weights(self.label, self.class_weights)
        if self.logit_offset is not None:
            logits = logits + self.logit_offset
        log_p = logits.log_softmax(dim=1)  # [N, C]
        nll = -log_p.gather(1, chosen[:, None]).squeeze(1)  # [N]
        if gamma := Balance.of(self.objective.balance).gamma:
            nll = nll * focal_factor(-nll, gamma)
        total = (weight if self.all_labels is None else _weights(self.all_labels, self.class_weights)).sum()
        loss = nll * weight  # [N]
        if epsilon := self.objective.label_smoothing:
            of_class = -log_p if self.class_weights is None else -log_p * self.class_weights  # [N, C]
            loss = (1 - epsilon) * loss + epsilon * of_class.mean(dim=1) * self.labelled
        return loss.sum() / torch.where(total > 0, total, torch.ones_like(total))

    @cached_property
    def cross_entropies(self) -> Tensor:
        """Cross-entropy of each student, [S]."""
        if not self.students:
            return self.teacher.new_zeros(0)
        return torch.stack([self.cross_entropy(student) for student in self.students.values()])

    @cached_property
    def divergences(self) -> Tensor:
        """KL divergence of each student from the teacher at the objective's temperature, [S, N]."""
        tau = self.objective.temperature
        teacher = self.teacher.detach() if self.objective.detach_teacher else self.teacher
        target = teacher.div(tau).log_softmax(dim=1)  # [N, C]
        divergences = [
            (target.exp() * (target - student.div(tau).log_softmax(dim=1))).sum(dim=1)
            for student in self.students.values()
        ]
        return torch.stack(divergences) if divergences else self.teacher.new_zeros(0, len(self.label))


@dataclass(frozen=True, eq=False)
class TermContext:
    """What the module of a term is made from."""

    objective: Objective
    labels: tuple[str, ...]
    """The C label names."""
    widths: Mapping[str, int]
    """Width d of each state of the model, by the names of `Output.states`."""
    train: Batch
    """The training conversations without features, on the CPU: labels, speakers and lengths."""

    def width(self, term: str, state: str) -> int:
        """Width of a state.

        Args:
            term: Name of the term, for the message.
            state: Name of the state.

        Raises:
            InputError: The model has no such state.
        """
        if state not in self.widths:
            raise InputError(f"objective.{term}: the model returns no state {state!r}; remove the setting")
        return self.widths[state]


@dataclass(frozen=True)
class ObjectiveTerm:
    """One term of the objective: a function, or a module with parameters or a state of its own."""

    function: Callable[[LossInputs], Tensor] | None = None
    """Returns a differentiable scalar."""
    module: Callable[[TermContext], nn.Module] | None = None
    """Makes a module whose `forward` takes `LossInputs` and returns a differentiable scalar."""
    needs_whole_batch: bool = False
    """Whether the module cannot compute the contribution of a shard of a batch, for example because its state depends
    on the whole batch; training in several processes is then refused."""

    def __post_init__(self) -> None:
        if (self.function is None) == (self.module is None):
            raise TypeError("an objective term has either a function or a module")


def focal_factor(log_p: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma for log probabilities; the gradient is finite at p = 1 for every gamma above 0."""
    return (-torch.expm1(log_p)).clamp(min=1e-7) ** gamma


def _weights(label: Tensor, class_weights: Tensor | None) -> Tensor:
    """Weight of each utterance in a cross-entropy, [N]; 0 for unlabelled utterances."""
    valid = label != UNLABELLED  # [N]
    return valid.float() if class_weights is None else class_weights[label.clamp(min=0)] * valid
