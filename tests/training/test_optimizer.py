"""The optimizer within the backward pass changes the parameters as PyTorch's own step afterwards does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from sdt.training.optimizer import GradientStep, make_optimizer
from sdt.training.settings import Training

RATES = (1e-2, 3e-3, 1e-3)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3))


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
    return model(x).square().mean()  # type: ignore[no-any-return]


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("small", [0, 10, 2**16])
def test_it_is_the_optimizers_own_step(optimizer: Any, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all parameters, the weights of the linear layers or none are updated within the backward pass."""
    monkeypatch.setattr("sdt.training.optimizer.SMALL", small)
    training = Training(optimizer=optimizer, weight_decay=0.1)
    model = network()
    plain = copy.deepcopy(model)
    made, expected = (make_optimizer(m, training) for m in (model, plain))
    descent = GradientStep(made, clip=None)
    assert descent.within_backward
    for step, rate in enumerate(RATES):
        norm = descent.step(loss_of(model, step), rate)
        expected.zero_grad()
        loss_of(plain, step).backward()
        gradient = torch.cat([p.grad.flatten() for p in plain.parameters() if p.grad is not None])
        torch.testing.assert_close(norm, gradient.norm())
        expected.param_groups[0]["lr"] = rate
        expected.step()
    for found, wanted in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(found, wanted)
        assert found.grad is None
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(made.state[found][moment], expected.state[wanted][moment])


def test_the_moments_of_either_way_can_be_gone_on_with_by_the_other() -> None:
    model = network()
    made = make_optimizer(model, Training())
    GradientStep(made, clip=None).step(loss_of(model, 0), 1e-2)
    again = make_optimizer(network(), Training())
    again.load_state_dict(made.state_dict())
    assert all(float(state["step"]) == 1 for state in again.state.values())


def test_a_mean_over_processes_is_known_after_the_backward_pass_only() -> None:
    model, alone = network(), network()
    averaged = GradientStep(make_optimizer(model, Training()), clip=None, accumulated=True)
    assert not averaged.within_backward
    free = GradientStep(make_optimizer(alone, Training()), clip=None)
    torch.testing.assert_close(averaged.step(loss_of(model, 0), 1e-2), free.step(loss_of(alone, 0), 1e-2))
    for found, wanted in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_clipping_shortens_the_gradient_and_returns_its_length() -> None:
    model, clipped = network(), network()
    free = GradientStep(make_optimizer(model, Training()), clip=None)
    short = GradientStep(make_optimizer(clipped, Training(clip=0.01)), clip=0.01)
    assert not short.within_backward
    norm = free.step(loss_of(model, 0), 1e-2)
    torch.testing.assert_close(short.step(loss_of(clipped, 0), 1e-2), norm)
    length = torch.cat([p.grad.flatten() for p in clipped.parameters() if p.grad is not None]).norm()
    assert float(length) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_weight_decay_is_in_the_gradient_or_beside_it(optimizer: Any) -> None:
    made = make_optimizer(network(), Training(optimizer=optimizer, weight_decay=0.1))
    assert made.defaults["weight_decay"] == 0.1
    assert type(made).__name__.lower() == optimizer


def test_a_parameter_without_a_gradient_stays() -> None:
    model = network()
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    GradientStep(make_optimizer(model, Training(weight_decay=0.1)), clip=None).step(loss_of(model, 0), 1e-2)
    assert torch.equal(model.get_parameter("unused"), torch.ones(3))


def test_the_rate_is_used_after_a_checkpoint_is_loaded() -> None:
    """Loading replaces the groups of the optimizer, which have the learning rate."""
    model = network()
    step = GradientStep(make_optimizer(model, Training(learning_rate=1.0)), clip=None)
    step.step(loss_of(model, 0), 1e-3)
    step.optimizer.load_state_dict(step.optimizer.state_dict())
    before = [p.detach().clone() for p in model.parameters()]
    step.step(loss_of(model, 1), 0.0)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
