"""Encoders in threads compute what they compute one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from sdt.model import encoder
from sdt.model.objective import Objective, self_distillation
from sdt.model.sdt import SDT
from sdt.model.threads import in_threads, threads_pay
from sdt.training.optimizer import Descent, make_optimizer
from sdt.training.settings import Training
from tests.model.build import random_batch, small_model


@pytest.fixture
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def gradients(model: SDT, *, threads: bool, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> tuple[Tensor, ...]:
    """The logits and every gradient of a training step."""
    monkeypatch.setattr(encoder, "DIVIDED", 0 if threads else 2**62)
    torch.manual_seed(seed)
    model.train().zero_grad()
    batch = random_batch([5, 7, 1], missing=0.2)
    output = model(batch)
    self_distillation(output.logits, batch.label, Objective()).total.backward()
    return (*output.logits.values(), *(p.grad for p in model.parameters() if p.grad is not None))


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("gate", ["learned", "frozen", "none"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_same_numbers_and_gradients(monkeypatch: pytest.MonkeyPatch, gate: str, layers: int) -> None:
    model = small_model(dropout=0.0, unimodal_gate=gate, layers=layers)
    apart = gradients(model, threads=True, monkeypatch=monkeypatch)
    whole = gradients(model, threads=False, monkeypatch=monkeypatch)
    assert len(apart) == len(whole) == 4 + len(list(model.parameters()))
    torch.testing.assert_close(apart, whole, atol=1e-6, rtol=1e-4)


@pytest.mark.usefixtures("two_cores")
def test_the_seed_decides_whatever_thread_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(dropout=0.5)
    first = gradients(model, threads=True, monkeypatch=monkeypatch, seed=3)
    for _ in range(5):
        again = gradients(model, threads=True, monkeypatch=monkeypatch, seed=3)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    other = gradients(model, threads=True, monkeypatch=monkeypatch, seed=4)
    assert not torch.equal(first[0], other[0])


@pytest.mark.usefixtures("two_cores")
def test_the_optimizer_works_in_the_threads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of three steps end at the same bits, and every parameter was changed."""
    ends = []
    for _ in range(2):
        monkeypatch.setattr(encoder, "DIVIDED", 0)
        model = small_model(dropout=0.5).train()
        before = [p.detach().clone() for p in model.parameters()]
        descent = Descent(make_optimizer(model, Training()), clip=None)
        torch.manual_seed(1)
        norms = []
        for number in range(3):
            batch = random_batch([4, 6], seed=number)
            loss = self_distillation(model(batch).logits, batch.label, Objective()).total
            norms.append(descent.step(loss, 1e-2))
        assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
        ends.append([*norms, *(p.detach() for p in model.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


@pytest.mark.usefixtures("two_cores")
def test_inputs_may_be_shared_and_the_rest_is_computed_here() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    maps = [nn.Linear(3, 2) for _ in range(5)]  # two cores: four in threads, one left over
    results = in_threads(maps, [[x]] * 5)
    sum(result.sum() for result in results).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(x.grad, sum(m.weight.detach().sum(0) for m in maps).expand(4, 3))  # type: ignore[union-attr]
    assert all(m.weight.grad is not None for m in maps)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_cores")
def test_an_error_in_a_thread_is_an_error_here() -> None:
    def fails(x: Tensor) -> Tensor:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_threads([fails, fails], [[torch.ones(1, requires_grad=True)]] * 2)
    assert torch.get_num_threads() == 2


def test_no_threads_where_processes_train_together(monkeypatch: pytest.MonkeyPatch, two_cores: None) -> None:
    assert threads_pay(9)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert not threads_pay(9)


def test_threads_pay_where_there_is_a_core_for_each_of_several_parts() -> None:
    before = torch.get_num_threads()
    try:
        for cores, parts, pay in ((1, 9, False), (2, 9, True), (9, 9, True), (16, 9, False), (2, 1, False)):
            torch.set_num_threads(cores)
            assert threads_pay(parts) is pay
    finally:
        torch.set_num_threads(before)
