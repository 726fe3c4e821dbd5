"""The self-distillation objective of SDT (paper, section III-E).

The fused classifier is the teacher, each modality's classifier a student:

    task = CE(y, fused)
    hard = sum over students of CE(y, student)
    soft = sum over students of KL(softmax(fused / tau) || softmax(student / tau)), per valid utterance
    total = gamma_1 * task + gamma_2 * hard + gamma_3 * soft

A model without students (`sdt.models.baselines`) is trained by the task alone: sums over no students are 0.

An utterance is valid where it has a label. All is computed from logits, in float32. The released program builds the KL
from masked products, whose 0 * log 0 gives NaN gradients; selecting the valid utterances has the same value.

Shapes: N utterances, C labels, S students.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdt.conversation import UNLABELLED
from sdt.models.config import FUSED, Objective

__all__ = ["Losses", "Objective", "self_distillation"]


@dataclass(frozen=True)
class Losses:
    """Scalars, before weighting but for `total`."""

    task: Tensor
    hard: Tensor
    soft: Tensor
    total: Tensor
    students: Tensor
    """[S, 2]; what each student adds to `hard` and to `soft`, in the order of the logits; without a gradient."""


def self_distillation(
    logits: dict[str, Tensor],
    label: Tensor,
    objective: Objective,
    class_weights: Tensor | None = None,
    whole: Tensor | None = None,
) -> Losses:
    """The loss of a batch.

    Args:
        logits: `"fused"` and each student to [N, C].
        label: [N] int64, `UNLABELLED` for utterances that count in no term.
        objective: Weights of the terms, temperature and variants.
        class_weights: [C]; cross-entropies are then divided by the sum of the weights of the labels.
        whole: The labels of the whole batch, where these utterances are a part of it: the terms are then what this part
            adds to those of the batch. None where they are all.

    Returns:
        The terms and their weighted sum; all zero where no utterance is labelled.
    """
    teacher = logits[FUSED].float()
    students = [student.float() for head, student in logits.items() if head != FUSED]
    task = _cross_entropy(teacher, label, class_weights, whole)
    if not students:
        zero = torch.zeros_like(task)
        return Losses(task, zero, zero, objective.task * task, zero.new_zeros(0, 2))
    hards = torch.stack([_cross_entropy(student, label, class_weights, whole) for student in students])  # [S]
    hard = hards.sum()
    tau = objective.temperature
    target = (teacher.detach() if objective.detach_teacher else teacher).div(tau).log_softmax(dim=1)  # [N, C]
    valid = (label != UNLABELLED).float()  # [N]
    divergences = torch.stack(
        [(target.exp() * (target - student.div(tau).log_softmax(dim=1))).sum(dim=1) for student in students]
    )  # [S, N]
    count = (valid if whole is None else (whole != UNLABELLED).float()).sum().clamp(min=1)
    soft = (divergences.sum(dim=0) * valid).sum() / count
    softs = (divergences.detach() * valid).sum(dim=1) / count  # [S]
    if objective.tau_squared:
        soft, softs = soft * tau**2, softs * tau**2
    total = objective.task * task + objective.hard * hard + objective.soft * soft
    return Losses(task, hard, soft, total, torch.stack((hards.detach(), softs), dim=1))


def _cross_entropy(logits: Tensor, label: Tensor, class_weights: Tensor | None, whole: Tensor | None) -> Tensor:
    """The (weighted) mean over the labelled utterances; zero, not NaN, where there are none.

    Written with a mask, since selecting rows would make a GPU wait for the host to learn how many there are.
    """
    chosen = label.clamp(min=0)  # [N]
    weight = _weights(label, class_weights)
    nll = -logits.log_softmax(dim=1).gather(1, chosen[:, None]).squeeze(1)  # [N]
    total = (weight if whole is None else _weights(whole, class_weights)).sum()
    return (nll * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))


def _weights(label: Tensor, class_weights: Tensor | None) -> Tensor:
    """What each utterance counts in a cross-entropy, [N]; nothing without a label."""
    valid = label != UNLABELLED  # [N]
    return valid.float() if class_weights is None else class_weights[label.clamp(min=0)] * valid
