"""The self-distillation objective of SDT (paper, section III-E).

The fused classifier is the teacher; the classifier of each modality is a student:

    task = CE(y, fused)
    hard = sum over students of CE(y, student)
    soft = sum over students of KL(softmax(fused / tau) || softmax(student / tau)), per labelled utterance
    total = gamma_1 * task + gamma_2 * hard + gamma_3 * soft (+ weight * term for each further term)

For models without students (`sdt.models.baselines`), hard and soft are 0. All terms are computed from logits in
float32. The released program computes the KL divergence from masked products, whose 0 * log 0 gives NaN gradients; here
only labelled utterances enter the sum, which has the same value.

To add a term, write a function of `LossInputs`, or a module if it has parameters (see `sdt.models.loss_inputs`), and
add one line to `OBJECTIVE_TERMS` (or register an entry point in the group `sdt.objective_terms`); recipes set its
weight in `objective.terms`. A model with another loss overrides `Model.loss`; terms with a module train it, too.

Shapes: N utterances, C labels, S students.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from sdt.models.config import FUSED, Objective
from sdt.models.contrastive import PrototypicalContrast
from sdt.models.emotion_shift import ShiftHead
from sdt.models.loss_inputs import Losses, LossInputs, ObjectiveTerm, TermContext
from sdt.plugins import Registry

__all__ = [
    "OBJECTIVE_TERMS",
    "LossInputs",
    "Losses",
    "Objective",
    "ObjectiveTerm",
    "TermContext",
    "find_term",
    "self_distillation",
]


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
    {
        "task": ObjectiveTerm(_task),
        "hard": ObjectiveTerm(_hard),
        "soft": ObjectiveTerm(_soft),
        "contrastive": ObjectiveTerm(module=PrototypicalContrast, needs_whole_batch=True),
        "shift": ObjectiveTerm(module=ShiftHead),
    },
)
"""Terms by name. Terms other than the first three are used if the objective gives them a weight."""


@cache
def find_term(name: str) -> ObjectiveTerm:
    """Look up a term; cached so that entry points are read once and not for every batch."""
    return OBJECTIVE_TERMS[name]


def self_distillation(
    logits: Mapping[str, Tensor],
    label: Tensor,
    objective: Objective,
    class_weights: Tensor | None = None,
    all_labels: Tensor | None = None,
    logit_offset: Tensor | None = None,
) -> Losses:
    """Compute the loss of a batch, without the terms that have a module.

    Args:
        logits: `"fused"` and each student to [N, C].
        label: [N] int64; `UNLABELLED` for utterances to ignore.
        objective: Weights of the terms, temperature and variants.
        class_weights: [C]; see `LossInputs`.
        all_labels: See `LossInputs`.
        logit_offset: [C]; see `LossInputs`.

    Returns:
        The terms and their weighted sum; all zero if no utterance is labelled.
    """
    students = {name: student.float() for name, student in logits.items() if name != FUSED}
    x = LossInputs(logits[FUSED].float(), students, label, objective, class_weights, all_labels, logit_offset)
    functions = {name: find_term(name).function for name in ("task", "hard", "soft", *objective.added)}
    terms = {name: function(x) for name, function in functions.items() if function}
    total = objective.task * terms["task"]
    if students:
        total = total + objective.hard * terms["hard"] + objective.soft * terms["soft"]
    for name, weight in objective.added.items():
        if name in terms:
            total = total + weight * terms[name]
    softs = x.mean(x.divergences.detach())
    if objective.tau_squared:
        softs = softs * objective.temperature**2
    return Losses(total, terms, torch.stack((x.cross_entropies.detach(), softs), dim=1))
