"""The contrastive term: the formula by naive loops, the queues, gradients, masks and what is refused."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.config import Objective
from sdt.models.contrastive import PrototypicalContrast
from sdt.models.loss_inputs import LossInputs, TermContext
from tests.models.build import LABELS, random_batch

WIDTH = 5
TRAIN = random_batch([9, 4])
BATCHES = [[0, 1, 0, UNLABELLED, 0, 2], [1], [2, 2, UNLABELLED, 1, 2, 2, 0], [0, 1]]


def made(**options: Any) -> PrototypicalContrast:
    torch.manual_seed(0)
    objective = Objective(contrastive=1, **{"contrastive_queue": 3, **options})
    return PrototypicalContrast(TermContext(objective, LABELS, {"fused": WIDTH}, TRAIN)).double()


def states_of(label: list[int], seed: int = 0) -> torch.Tensor:
    return torch.randn(len(label), WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def inputs(label: list[int], states: torch.Tensor) -> LossInputs:
    return LossInputs(states.new_zeros(len(label), 3), {}, torch.tensor(label), Objective(), states={"fused": states})


class Naive:
    """The formula with lists; keeps its own queues."""

    def __init__(self, module: PrototypicalContrast, length: int, tau: float, gamma: float, alpha: float) -> None:
        self.module, self.tau, self.gamma, self.alpha = module, tau, gamma, alpha
        self.queues: dict[int, deque[np.ndarray]] = defaultdict(lambda: deque(maxlen=length))

    def loss(self, label: list[int], states: torch.Tensor) -> float:
        with torch.no_grad():
            projected = self.module.projection(states).numpy()
        z = [x / np.linalg.norm(x) for x in projected]
        for x, y in zip(z, label, strict=True):
            if y != UNLABELLED:
                self.queues[y].append(x)
        means = {y: np.mean(queue, axis=0) for y, queue in self.queues.items()}
        others = [(i, y, x) for i, (x, y) in enumerate(zip(z, label, strict=True)) if y != UNLABELLED]
        others += [(-1, y, mean / np.linalg.norm(mean)) for y, mean in means.items()]
        counts = [int((TRAIN.label == c).sum()) for c in range(3)]
        top = bottom = 0.0
        for i, y, x in others:
            if i < 0:
                continue
            scores = {j: math.exp(x @ other / self.tau) for j, (k, _, other) in enumerate(others) if k != i}
            shares = [scores[j] / sum(scores.values()) for j in scores if others[j][1] == y]
            weight = (sum(counts) / max(counts[y], 1)) ** self.alpha
            top += weight * np.mean([-((1 - s) ** self.gamma) * math.log(s) for s in shares])
            bottom += weight
        return top / bottom


@pytest.mark.parametrize(
    ("length", "tau", "gamma", "alpha"), [(3, 0.1, 0.0, 0.0), (1, 0.5, 2.0, 0.0), (64, 1.0, 0.5, 0.8)]
)
def test_equals_naive_loops_batch_after_batch(length: int, tau: float, gamma: float, alpha: float) -> None:
    module = made(
        contrastive_queue=length, contrastive_temperature=tau, contrastive_focal=gamma, contrastive_minorities=alpha
    )
    naive = Naive(module, length, tau, gamma, alpha)
    for seed, label in enumerate(BATCHES):
        states = states_of(label, seed)
        with torch.no_grad():
            assert float(module(inputs(label, states))) == pytest.approx(naive.loss(label, states), rel=1e-6)


@pytest.mark.slow
@given(
    st.lists(st.lists(st.integers(UNLABELLED, 2), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(1, 4)
)
@settings(max_examples=40, deadline=None)
def test_the_queues_hold_the_last_utterances_of_each_class(batches: list[list[int]], length: int) -> None:
    module = made(contrastive_queue=length)
    expected: dict[int, deque[torch.Tensor]] = {y: deque(maxlen=length) for y in range(3)}
    for seed, label in enumerate(batches):
        states = states_of(label, seed)
        with torch.no_grad():
            assert module(inputs(label, states)).isfinite()
            for y, z in zip(label, torch.nn.functional.normalize(module.projection(states)), strict=True):
                if y != UNLABELLED:
                    expected[y].append(z)
    for y, queue in expected.items():
        filled = min(int(module.seen[y]), length)
        assert filled == len(queue)
        mine = sorted(module.queue[y, :filled].sum(dim=1).tolist())
        assert mine == pytest.approx(sorted(z.sum().item() for z in queue), abs=1e-9)
        assert not module.queue[y, filled:].any()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients(gamma: float) -> None:
    label = BATCHES[0]
    module = made(contrastive_temperature=1.0, contrastive_focal=gamma, contrastive_minorities=0.5)
    module(inputs(label, states_of(label, 1)))  # fills the queues
    module.eval()  # and they stay so
    parameters = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}

    def loss(states: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(parameters, values, strict=True))
        found: torch.Tensor = torch.func.functional_call(module, given, (inputs(label, states),))
        return found

    states = states_of(label).requires_grad_()
    assert torch.autograd.gradcheck(loss, (states, *parameters.values()), fast_mode=True)
    module(inputs(label, states)).backward()
    assert states.grad is not None
    assert [bool(row.any()) for row in states.grad] == [y != UNLABELLED for y in label]


@pytest.mark.parametrize("label", [[UNLABELLED] * 3, [1], [0, 0], [0, 1, 2]])
def test_small_batches_and_absent_classes_have_a_finite_gradient(label: list[int]) -> None:
    module = made(contrastive_focal=1.5)
    states = states_of(label).requires_grad_()
    loss = module(inputs(label, states))
    loss.backward()
    assert loss.isfinite()
    assert states.grad is not None
    assert states.grad.isfinite().all()
    if set(label) == {UNLABELLED}:
        assert float(loss.detach()) == 0


def test_the_order_of_utterances_does_not_matter() -> None:
    label, states = BATCHES[0], states_of(BATCHES[0])
    order = [3, 5, 0, 4, 1, 2]
    with torch.no_grad():
        one = made()(inputs(label, states))
        other = made()(inputs([label[i] for i in order], states[order]))
    torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_it_pulls_classes_together() -> None:
    torch.manual_seed(0)
    label = [0, 1, 2] * 8
    states = torch.randn(24, WIDTH).double().requires_grad_()
    module = made()
    optimizer = torch.optim.Adam([states, *module.parameters()], lr=0.05)

    def gap() -> float:
        z = torch.nn.functional.normalize(module.projection(states.detach())).detach()
        same = torch.tensor(label)[:, None] == torch.tensor(label)
        cosine = z @ z.T
        return float(cosine[same].mean() - cosine[~same].mean())

    before = gap()
    for _ in range(60):
        optimizer.zero_grad()
        module(inputs(label, states)).backward()
        optimizer.step()
    assert before < 0.2
    assert gap() > 0.8


@pytest.mark.parametrize(
    "options",
    [
        {"contrastive": -1}, {"contrastive_temperature": 0}, {"contrastive_queue": 0}, {"contrastive_focal": -1},
        {"contrastive_minorities": math.nan}, {"terms": {"contrastive": 1}},
    ],
)  # fmt: skip
def test_settings_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^objective\."):
        replace(Objective(), **options)
