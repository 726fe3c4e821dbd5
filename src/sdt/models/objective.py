"""The self-distillation objective of SDT (paper, section III-E).

The fused classifier is the teacher; the classifier of each modality is a student:

    task = CE(y, fused)
    hard = sum over students of CE(y, student)
    soft = sum over students of KL(softmax(fused / tau) || softmax(student / tau)), per labelled utterance
    total = gamma_1 * task + gamma_2 * hard + gamma_3 * soft (+ weight * term for each further term)

For models without students (`sdt.models.baselines`), hard and soft are 0. All terms are computed from logits in
float32. The released program computes the KL divergence from masked products, whose 0 * log 0 gives NaN gradients; here
only labelled utterances enter the sum, which has the same value.

To add a term, write a function of `LossInputs` and add one line to `OBJECTIVE_TERMS` (or register an entry point in the
group `sdt.objective_terms`); recipes set its weight in `objective.terms`. A model with another loss overrides
`Model.loss`.

Shapes: N utterances, C labels, S students.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from sdt.conversation import UNLABELLED
from sdt.models.config import FUSED, Objective
from sdt.plugins import Registry

__all__ = ["OBJECTIVE_TERMS", "LossInputs", "Losses", "Objective", "ObjectiveTerm", "self_distillation"]


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

        Uses a mask: selecting rows would synchronise the GPU with the host to get the number of rows.
        """
        chosen = self.label.clamp(min=0)  # [N]
        weight = _weights(self.label, self.class_weights)
        nll = -logits.log_softmax(dim=1).gather(1, chosen[:, None]).squeeze(1)  # [N]
        total = (weight if self.all_labels is None else _weights(self.all_labels, self.class_weights)).sum()
        return (nll * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))

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


@dataclass(frozen=True)
class ObjectiveTerm:
    """One term of the objective."""

    function: Callable[[LossInputs], Tensor]
    """Returns a differentiable scalar."""


def _task(x: LossInputs) -> Tensor:
    return x.cross_entropy(x.teacher)


def _hard(x: LossInputs) -> Tensor:
    return x.cross_entropies.sum()


def _soft(x: LossInputs) -> Tensor:
    soft = x.mean(x.divergences.sum(dim=0))
    return soft * x.objective.temperature**2 if x.objective.tau_squared else soft


OBJECTIVE_TERMS: Registry[ObjectiveTerm] = Registry(
    "sdt.objective_terms",
    ObjectiveTerm,
    {"task": ObjectiveTerm(_task), "hard": ObjectiveTerm(_hard), "soft": ObjectiveTerm(_soft)},
)
"""Terms by name. Terms other than these three are used if `objective.terms` gives them a weight."""


@cache
def _term(name: str) -> ObjectiveTerm:
    """Look up a term; cached so that entry points are read once and not for every batch."""
    return OBJECTIVE_TERMS[name]


def self_distillation(
    logits: Mapping[str, Tensor],
    label: Tensor,
    objective: Objective,
    class_weights: Tensor | None = None,
    all_labels: Tensor | None = None,
) -> Losses:
    """Compute the loss of a batch.

    Args:
        logits: `"fused"` and each student to [N, C].
        label: [N] int64; `UNLABELLED` for utterances to ignore.
        objective: Weights of the terms, temperature and variants.
        class_weights: [C]; see `LossInputs`.
        all_labels: See `LossInputs`.

    Returns:
        The terms and their weighted sum; all zero if no utterance is labelled.
    """
    students = {name: student.float() for name, student in logits.items() if name != FUSED}
    x = LossInputs(logits[FUSED].float(), students, label, objective, class_weights, all_labels)
    terms = {name: _term(name).function(x) for name in ("task", "hard", "soft", *objective.terms)}
    total = objective.task * terms["task"]
    if students:
        total = total + objective.hard * terms["hard"] + objective.soft * terms["soft"]
    for name, weight in objective.terms.items():
        total = total + weight * terms[name]
    softs = x.mean(x.divergences.detach())
    if objective.tau_squared:
        softs = softs * objective.temperature**2
    return Losses(total, terms, torch.stack((x.cross_entropies.detach(), softs), dim=1))


def _weights(label: Tensor, class_weights: Tensor | None) -> Tensor:
    """Weight of each utterance in a cross-entropy, [N]; 0 for unlabelled utterances."""
    valid = label != UNLABELLED  # [N]
    return valid.float() if class_weights is None else class_weights[label.clamp(min=0)] * valid
