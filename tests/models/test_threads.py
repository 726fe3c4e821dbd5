"""Encoders in threads compute what they compute one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from sdt.models.objective import Objective, self_distillation
from sdt.models.sdt import branches
from sdt.models.sdt.model import SDT
from sdt.models.sdt.threads import Task, run_in_threads, schedule, should_use_threads
from sdt.training.optimizer import GradientStep, make_optimizer
from sdt.training.settings import Training
from tests.models.build import random_batch, small_model


@pytest.fixture
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def gradients(model: SDT, *, threads: bool, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> tuple[Tensor, ...]:
    """The logits and every gradient of a training step."""
    monkeypatch.setattr(branches, "PARALLEL_SIZE", 0 if threads else 2**62)
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
def test_products_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without threads, near to float32, and the same bits every time."""
    model = small_model(width=64, dropout=0.0)
    full = gradients(model, threads=True, monkeypatch=monkeypatch)
    with torch.autocast("cpu", torch.bfloat16):
        apart, *again = (gradients(model, threads=True, monkeypatch=monkeypatch) for _ in range(6))
        whole = gradients(model, threads=False, monkeypatch=monkeypatch)
    logits, names = 4, [name for name, _ in model.named_parameters()]
    assert all(x.dtype is torch.bfloat16 for x in apart[:logits])
    assert all(x.dtype is torch.float32 for x in apart[logits:])
    assert len(apart) == logits + len(names)
    for same in again:
        assert all(map(torch.equal, apart, same))
    for one, other, exact in zip(apart, whole, full, strict=True):
        size = exact.norm().item()
        assert (one.float() - exact).norm() <= 0.05 * size + 1e-4
        assert (one.float() - other.float()).norm() <= 0.05 * size + 1e-4
    assert any(not torch.equal(one.float(), exact) for one, exact in zip(apart, full, strict=True))


@pytest.mark.usefixtures("two_cores")
def test_the_optimizer_works_in_the_threads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of three steps end at the same bits, and every parameter was changed."""
    ends = []
    for _ in range(2):
        monkeypatch.setattr(branches, "PARALLEL_SIZE", 0)
        model = small_model(dropout=0.5).train()
        before = [p.detach().clone() for p in model.parameters()]
        descent = GradientStep(make_optimizer(model, Training()), clip=None)
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
    names: dict[int, str] = {}

    def part(number: int) -> Task:
        def run(x: Tensor) -> Tensor:
            names[number] = threading.current_thread().name
            found: Tensor = maps[number](x)
            return found

        return Task(run, (x,))

    results = run_in_threads([part(number) for number in range(5)])
    assert [names[number].startswith("sdt") for number in range(5)] == [True] * 4 + [False]
    sum(result.sum() for result in results).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(x.grad, sum(m.weight.detach().sum(0) for m in maps).expand(4, 3))  # type: ignore[union-attr]
    assert all(m.weight.grad is not None for m in maps)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("last", [0, 1])
def test_parts_read_what_others_found(last: int) -> None:
    """Against the same computed in one piece; every result is used outside, too, or none but the last."""
    torch.manual_seed(0)
    x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    maps = [nn.Linear(3, 3) for _ in range(4)]

    def add(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).tanh()

    parts = [Task(maps[0], (x,)), Task(maps[1], (y,)), Task(maps[2], (x,)), Task(add, (0, 1)), Task(maps[3], (2,))]
    results = run_in_threads([*parts, Task(add, (3, 4)), Task(add, (5, 0)), Task(torch.sin, (1,))])

    def whole() -> list[Tensor]:
        a, b, c = maps[0](x), maps[1](y), maps[2](x)
        d, e = add(a, b), maps[3](c)
        f = add(d, e)
        return [a, b, c, d, e, f, add(f, a), b.sin()]

    gradients = []
    for found in (results, whole()):
        sum(one.square().sum() for one in (found[-2:] if last else found)).backward()  # type: ignore[union-attr]
        gradients.append([x.grad, *(p.grad for m in maps for p in m.parameters())])
        x.grad = None
        for m in maps:
            m.zero_grad(set_to_none=True)
    torch.testing.assert_close(results, whole())
    torch.testing.assert_close(*gradients)
    assert all(gradient is not None for gradient in gradients[0])


@pytest.mark.usefixtures("two_cores")
def test_a_part_that_nothing_depends_on_has_no_gradient() -> None:
    maps = [nn.Linear(3, 3) for _ in range(4)]
    x = torch.randn(2, 3, requires_grad=True)
    results = run_in_threads([Task(one, (x,)) for one in maps])
    (results[0].sum() + results[3].sum()).backward()
    assert [one.weight.grad is not None for one in maps] == [True, False, False, True]


ENCODERS = dict.fromkeys(range(9), 6)
"""Nine encoders; below, three fusions that read three of them each."""


def test_no_core_waits_long() -> None:
    work = {**ENCODERS, 9: 3, 10: 3, 11: 3}
    needs: dict[int, list[int]] = {**{number: [] for number in ENCODERS}, 9: [0, 1, 2], 10: [3, 4, 5], 11: [6, 7, 8]}
    readers = {number: [of for of in range(11) if number in needs[of]] for number in range(11)}
    # The third fusion waits for the ninth encoder, beside which the others are computed: it has all cores.
    assert schedule(work, needs, 2) == [*range(9), 9, 10]
    # The way back: as soon as the fusions are there, so are their encoders.
    assert schedule({number: work[number] for number in range(11)}, readers, 2) == [6, 7, 8, 9, 10, *range(6)]
    # Three rounds fill three cores, and the fusions a fourth; four cores have one encoder left, and two fusions.
    assert schedule(work, needs, 3) == list(range(12))
    assert schedule(work, needs, 4) == list(range(8))
    assert schedule(ENCODERS, {number: [] for number in ENCODERS}, 2) == list(range(8))
    assert schedule({0: 1}, {0: []}, 2) == []


@pytest.mark.usefixtures("two_cores")
def test_an_error_in_a_thread_is_an_error_here() -> None:
    def fails(x: Tensor) -> Tensor:
        raise ValueError("no")

    one = torch.ones(1, requires_grad=True)
    for second in (Task(fails, (one,)), Task(torch.sin, (one,)), Task(torch.sin, (0,))):
        with pytest.raises(ValueError, match="no"):
            run_in_threads([Task(fails, (one,)), second, Task(torch.sin, (one,))])
        assert torch.get_num_threads() == 2


def test_no_threads_where_processes_train_together(monkeypatch: pytest.MonkeyPatch, two_cores: None) -> None:
    assert should_use_threads(9)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert not should_use_threads(9)


def test_threads_pay_where_there_is_a_core_for_each_of_several_parts() -> None:
    before = torch.get_num_threads()
    try:
        for cores, parts, pay in ((1, 9, False), (2, 9, True), (9, 9, True), (16, 9, False), (2, 1, False)):
            torch.set_num_threads(cores)
            assert should_use_threads(parts) is pay
    finally:
        torch.set_num_threads(before)
