"""The objective: by hand, by torch's own functions, masks, and the variants."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.objective import Objective, self_distillation


@pytest.fixture
def logits() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {head: torch.randn(6, 4, requires_grad=True) for head in ("fused", "text", "audio")}


LABEL = torch.tensor([0, 3, 1, 1, 2, 0])


def test_by_hand() -> None:
    """One utterance, two labels: the numbers can be worked out on paper."""
    zero, one = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    found = self_distillation({"fused": zero, "text": one}, torch.tensor([1]), Objective(hard=2, soft=3))
    assert float(found.task) == pytest.approx(math.log(2))
    assert float(found.hard) == pytest.approx(math.log(4))
    soft = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(found.soft) == pytest.approx(soft)
    assert float(found.total) == pytest.approx(math.log(2) + 2 * math.log(4) + 3 * soft)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0, 4.0])])
@pytest.mark.parametrize(("tau", "smoothing"), [(1.0, 0.0), (8.0, 0.0), (8.0, 0.3)])
def test_equals_torch(
    logits: dict[str, torch.Tensor], weights: torch.Tensor | None, tau: float, smoothing: float
) -> None:
    found = self_distillation(logits, LABEL, Objective(temperature=tau, label_smoothing=smoothing), weights)
    students = (logits["text"], logits["audio"])
    entropy = partial(F.cross_entropy, target=LABEL, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(found.task, entropy(logits["fused"]))
    torch.testing.assert_close(found.hard, sum(entropy(x) for x in students))
    teacher = (logits["fused"] / tau).log_softmax(1)
    soft = [F.kl_div((x / tau).log_softmax(1), teacher, reduction="sum", log_target=True) / 6 for x in students]
    torch.testing.assert_close(found.soft, sum(soft))


def test_unlabelled_utterances_count_in_no_term(logits: dict[str, torch.Tensor]) -> None:
    label = LABEL.clone()
    label[[1, 4]] = UNLABELLED
    kept = [0, 2, 3, 5]
    masked = self_distillation(logits, label, Objective(temperature=2))
    chosen = self_distillation({k: x[kept] for k, x in logits.items()}, LABEL[kept], Objective(temperature=2))
    for name in ("task", "hard", "soft", "total"):
        torch.testing.assert_close(getattr(masked, name), getattr(chosen, name))
    masked.total.backward()
    for x in logits.values():
        assert x.grad is not None
        assert (x.grad[[1, 4]] == 0).all()


def test_nothing_labelled_is_zero_with_a_finite_gradient(logits: dict[str, torch.Tensor]) -> None:
    found = self_distillation(logits, torch.full((6,), UNLABELLED), Objective(), torch.ones(4))
    assert float(found.total.detach()) == 0
    found.total.backward()
    assert all(x.grad is not None and (x.grad == 0).all() for x in logits.values())


def test_extreme_logits_stay_finite() -> None:
    logits = {head: torch.tensor([[1e4, -1e4]], requires_grad=True) for head in ("fused", "text")}
    found = self_distillation(logits, torch.tensor([1]), Objective())
    found.total.backward()
    assert found.total.isfinite()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in logits.values())


def test_the_teacher_learns_from_the_soft_term_unless_it_is_detached(logits: dict[str, torch.Tensor]) -> None:
    for detach in (False, True):
        for x in logits.values():
            x.grad = None
        self_distillation(logits, LABEL, Objective(task=0, hard=0, detach_teacher=detach)).total.backward()
        assert logits["text"].grad is not None
        assert logits["text"].grad.abs().sum() > 0
        teacher = logits["fused"].grad
        assert (teacher is not None and bool(teacher.abs().sum() > 0)) is not detach


def test_tau_squared(logits: dict[str, torch.Tensor]) -> None:
    plain = self_distillation(logits, LABEL, Objective(temperature=4)).soft
    scaled = self_distillation(logits, LABEL, Objective(temperature=4, tau_squared=True)).soft
    torch.testing.assert_close(scaled, 16 * plain)


def test_half_precision_logits_are_computed_in_float32(logits: dict[str, torch.Tensor]) -> None:
    half = {head: x.detach().bfloat16() for head, x in logits.items()}
    found = self_distillation(half, LABEL, Objective())
    assert found.total.dtype == torch.float32


@pytest.mark.parametrize("term", ["task", "hard", "soft"])
def test_each_term_can_be_switched_off(logits: dict[str, torch.Tensor], term: str) -> None:
    found = self_distillation(logits, LABEL, Objective(**{term: 0}))  # type: ignore[arg-type]
    others = [getattr(found, name) for name in ("task", "hard", "soft") if name != term]
    torch.testing.assert_close(found.total, sum(others))


def test_label_smoothing_ignores_unlabelled_utterances(logits: dict[str, torch.Tensor]) -> None:
    label = LABEL.clone()
    label[[0, 4]] = UNLABELLED
    found = self_distillation(logits, label, Objective(label_smoothing=0.2))
    expected = F.cross_entropy(logits["fused"], label, ignore_index=UNLABELLED, label_smoothing=0.2)
    torch.testing.assert_close(found.task, expected)
    with pytest.raises(InputError, match=r"^objective\.label_smoothing: .*focal"):
        Objective(label_smoothing=0.2, balance="focal(2)")


@pytest.mark.parametrize(
    "options",
    [{"label_smoothing": 1.0}, {"task": -1}, {"soft": math.nan}, {"temperature": 0}, {"task": 0, "hard": 0, "soft": 0}],
)
def test_settings_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="objective"):
        Objective(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tau_squared", [False, True])
def test_what_each_student_adds(logits: dict[str, torch.Tensor], tau_squared: bool) -> None:
    label = LABEL.clone()
    label[2] = UNLABELLED
    objective = Objective(temperature=2, tau_squared=tau_squared)
    together = self_distillation(logits, label, objective, torch.tensor([0.5, 2.0, 1.0, 4.0]))
    assert not together.students.requires_grad
    for row, student in enumerate(("text", "audio")):
        alone = {"fused": logits["fused"], student: logits[student]}
        found = self_distillation(alone, label, objective, torch.tensor([0.5, 2.0, 1.0, 4.0]))
        torch.testing.assert_close(together.students[row], torch.stack([found.hard, found.soft]).detach())


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 0.0, 4.0])])
@pytest.mark.parametrize("parts", [([0, 1, 2, 3], [4, 5]), ([3, 0, 5], [1, 2, 4]), ([2], [0, 1, 3, 4, 5])])
def test_the_parts_of_a_batch_add_up_to_it(
    logits: dict[str, torch.Tensor], weights: torch.Tensor | None, parts: tuple[list[int], list[int]]
) -> None:
    label = LABEL.clone()
    label[2] = UNLABELLED  # so that a part of it alone has no label at all
    objective = Objective(soft=0.5, temperature=2, label_smoothing=0.1)
    together = self_distillation(logits, label, objective, weights)
    together.total.backward()
    expected = {head: x.grad.clone() for head, x in logits.items() if x.grad is not None}
    for x in logits.values():
        x.grad = None
    found = [
        self_distillation({h: x[part] for h, x in logits.items()}, label[part], objective, weights, all_labels=label)
        for part in parts
    ]
    for of_part in found:
        of_part.total.backward()
    for name in ("task", "hard", "soft", "total", "students"):
        torch.testing.assert_close(sum(getattr(of, name) for of in found), getattr(together, name))
    for head, x in logits.items():
        torch.testing.assert_close(x.grad, expected[head])
