"""Class imbalance: the formulas by naive loops, gradients, and settings that are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.balance import Balance
from sdt.models.config import Objective
from sdt.models.objective import LossInputs, self_distillation

LABEL = torch.tensor([0, 2, 1, UNLABELLED, 2, 0, 0])
COUNTS = [40, 0, 3, 9]
SETTINGS = ["none", "logit_adjustment(1.5)", "focal(2)", "focal(0.5)", "class_balanced(0.9)"]


def drawn(seed: int = 0, *, double: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(LABEL), len(COUNTS), generator=generator, dtype=torch.float64 if double else torch.float32)
    return logits.requires_grad_()


def inputs(logits: torch.Tensor, setting: str, weights: list[float] | None = None) -> LossInputs:
    balance = Balance.of(setting)
    balanced, offset = balance.class_weights(COUNTS), balance.logit_offset(COUNTS)
    both = np.array(balanced or [1.0] * 4) * np.array(weights or [1.0] * 4)
    return LossInputs(
        logits, {}, LABEL, Objective(balance=setting),
        torch.tensor(both, dtype=logits.dtype) if balanced or weights else None,
        logit_offset=None if offset is None else torch.tensor(offset, dtype=logits.dtype),
    )  # fmt: skip


def naive(logits: torch.Tensor, setting: str, weights: list[float] | None) -> float:
    """The formulas of Menon, Lin and Cui, one utterance at a time."""
    kind, value = Balance.of(setting).kind, Balance.of(setting).value
    counts = [max(count, 1) for count in COUNTS]
    top, bottom = 0.0, 0.0
    for row, label in zip(logits.tolist(), LABEL.tolist(), strict=True):
        if label == UNLABELLED:
            continue
        if kind == "logit_adjustment":
            row = [z + value * math.log(n / sum(counts)) for z, n in zip(row, counts, strict=True)]
        p = math.exp(row[label]) / sum(map(math.exp, row))
        weight = 1.0 if weights is None else weights[label]
        if kind == "class_balanced":
            weight *= 1 / sum(value**power for power in range(counts[label]))  # the effective number is this sum
        top += -math.log(p) * weight * ((1 - p) ** value if kind == "focal" else 1)
        bottom += weight
    return top / bottom


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 4.0, 2.0]])
@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_the_formula(setting: str, weights: list[float] | None) -> None:
    logits = drawn(double=True).detach()
    assert float(inputs(logits, setting, weights).cross_entropy(logits)) == pytest.approx(
        naive(logits, setting, weights), rel=1e-6
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_gradients(setting: str) -> None:
    assert torch.autograd.gradcheck(lambda z: inputs(z, setting).cross_entropy(z), (drawn(1, double=True),))


@pytest.mark.parametrize("setting", SETTINGS)
def test_confident_and_wrong_logits_have_a_finite_gradient(setting: str) -> None:
    logits = torch.tensor([[1e4, 0.0, 0.0, 0.0]] * 3 + [[0.0, 1e4, 0.0, 0.0]] * 4, requires_grad=True)
    inputs(logits, setting).cross_entropy(logits).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@given(st.permutations(range(len(LABEL))), st.sampled_from(SETTINGS))
@settings(max_examples=25, deadline=None)
def test_the_order_of_utterances_does_not_matter(order: list[int], setting: str) -> None:
    logits, x = drawn(2, double=True), inputs(drawn(2, double=True), setting)
    moved = LossInputs(logits[order], {}, LABEL[order], x.objective, x.class_weights, logit_offset=x.logit_offset)
    torch.testing.assert_close(moved.cross_entropy(logits[order]), x.cross_entropy(logits))


@given(st.integers(1, len(LABEL) - 1), st.sampled_from(SETTINGS))
@settings(max_examples=25, deadline=None)
def test_the_shards_of_a_batch_add_up_to_it(cut: int, setting: str) -> None:
    x = inputs(drawn(3, double=True), setting)
    parts = [
        LossInputs(x.teacher[rows], {}, LABEL[rows], x.objective, x.class_weights, LABEL, x.logit_offset).cross_entropy(
            x.teacher[rows]
        )
        for rows in (slice(None, cut), slice(cut, None))
    ]
    torch.testing.assert_close(parts[0] + parts[1], x.cross_entropy(x.teacher))


def test_focal_and_logit_adjustment_reach_teacher_and_students_but_not_the_soft_term() -> None:
    logits = {name: drawn(seed).detach() for seed, name in enumerate(("fused", "text", "audio"))}
    plain = self_distillation(logits, LABEL, Objective())
    for setting in ("focal(2)", "logit_adjustment(1)"):
        offset = Balance.of(setting).logit_offset(COUNTS)
        tensor = None if offset is None else torch.tensor(offset)
        found = self_distillation(logits, LABEL, Objective(balance=setting), logit_offset=tensor)
        assert torch.equal(found.soft, plain.soft)
        expected = [naive(x, setting, None) for x in logits.values()]
        assert float(found.task) == pytest.approx(expected[0], rel=1e-5)
        assert float(found.hard) == pytest.approx(sum(expected[1:]), rel=1e-5)


def learned_bias(setting: str) -> float:
    """The difference of two logits that are learned without features from 90 and 10 utterances."""
    label, offset = torch.tensor([0] * 90 + [1] * 10), Balance.of(setting).logit_offset([90, 10])
    tensor = None if offset is None else torch.tensor(offset)
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([bias], lr=4.0)
    for _ in range(300):
        optimizer.zero_grad()
        logits = {"fused": bias.expand(100, 2)}
        self_distillation(logits, label, Objective(balance=setting), logit_offset=tensor).total.backward()
        optimizer.step()
    return float(bias.detach()[0] - bias.detach()[1])


def test_logit_adjustment_learns_the_scores_of_balanced_classes() -> None:
    """Without features, logits learn log(frequency); with tau = 1 they become equal (Menon et al., section 4)."""
    assert learned_bias("none") == pytest.approx(math.log(9), abs=1e-3)
    assert learned_bias("logit_adjustment(1)") == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "setting", ["focal", "focal(0)", "focal(-1)", "class_balanced(1)", "class_balanced(0)", "logit(1)", "", "focal(x)"]
)
def test_settings_that_are_refused(setting: str) -> None:
    with pytest.raises(InputError, match=r"^objective\.balance: "):
        Objective(balance=setting)
