"""What every model has to keep, as functions that fail; for the baselines and for a researcher's own model."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import torch

from sdt.batch import Batch
from sdt.models.base import Model, check_output
from sdt.models.config import Objective
from sdt.models.objective import self_distillation
from tests.models.build import LABELS, SPEAKERS, WIDTHS, random_batch, select

CLOSE = 2e-5


def build(kind: type[Model], options: Mapping[str, Any] | None = None, widths: Mapping[str, int] = WIDTHS) -> Model:
    """A model in evaluation mode, always the same."""
    torch.manual_seed(0)
    return kind(kind.config_class(widths, LABELS, SPEAKERS, kind.settings(**(options or {})))).eval()


def logits(model: Model, batch: Batch) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return check_output(model, model(batch), len(batch)).logits


def packed_equals_one_at_a_time(model: Model) -> None:
    """Whatever the other conversations of the batch, their number, order and lengths."""
    batch = random_batch([5, 1, 9, 3, 5], missing=0.3)
    whole = logits(model, batch)
    ends = [0, *batch.lengths.cumsum(0).tolist()]
    for order in ([0], [1], [2], [3], [4], [3, 1], [4, 0, 2]):
        part = logits(model, select(batch, order))
        for head, of in whole.items():
            expected = torch.cat([of[ends[i] : ends[i + 1]] for i in order])
            torch.testing.assert_close(part[head], expected, atol=CLOSE, rtol=CLOSE)


def neighbours_have_no_influence_at_all(model: Model) -> None:
    """Not one bit changes if the features of the other conversations do.

    If their speakers do, other products may be computed together, which rounds differently.
    """
    batch = random_batch([4, 6, 4], missing=0.2)
    features = {name: x.clone() for name, x in batch.features.items()}
    for x in features.values():
        x[4:10] += 3
    speaker = torch.cat((batch.speaker[:4], (batch.speaker[4:10] + 1) % 3, batch.speaker[10:]))
    first = logits(model, batch)
    other = logits(model, dataclasses.replace(batch, features=features))
    renamed = logits(model, dataclasses.replace(batch, speaker=speaker))
    for head, expected in first.items():
        for rows in (slice(0, 4), slice(10, 14)):
            assert torch.equal(other[head][rows], expected[rows])
            torch.testing.assert_close(renamed[head][rows], expected[rows], atol=1e-6, rtol=1e-6)
        assert not torch.allclose(other[head][4:10], expected[4:10])


def missing_values_are_never_read(model: Model) -> None:
    """Nor is anything undefined where much is missing, or all."""
    for missing in (0.4, 1.0):
        batch = random_batch([5, 1, 4], missing=missing, seed=3)
        filled = {
            name: torch.where(batch.present[name][:, None], x, torch.full_like(x, 7.0))
            for name, x in batch.features.items()
        }
        expected, found = logits(model, batch), logits(model, dataclasses.replace(batch, features=filled))
        for head in expected:
            assert torch.equal(found[head], expected[head])
            assert found[head].isfinite().all()


def every_parameter_receives_a_gradient(model: Model, *, zero: tuple[str, ...] = ()) -> None:
    """By the loss that the model is trained by; `zero` names parameters whose gradient is 0 but for rounding."""
    model.train()
    batch = random_batch([5, 7, 1, 6], model.config.modalities)
    objective = model.objective_for(model.config, Objective())
    self_distillation(model(batch).logits, batch.label, objective).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} receives no gradient"
        assert parameter.grad.isfinite().all(), name
        if not name.endswith(zero or ("never",)):
            assert parameter.grad.abs().max() > 0, f"{name} receives a zero gradient"
    model.eval()


def gradients_are_finite_where_all_is_missing(model: Model) -> None:
    model.train()
    model.zero_grad()
    batch = random_batch([4, 3], missing=1.0)
    objective = model.objective_for(model.config, Objective())
    self_distillation(model(batch).logits, batch.label, objective).total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    model.eval()


def same_seed_same_training(kind: type[Model], options: Mapping[str, Any]) -> None:
    """Two steps with dropout, twice: the same parameters, bit for bit."""
    states = []
    for _ in range(2):
        model = build(kind, options).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        objective = model.objective_for(model.config, Objective())
        torch.manual_seed(5)
        for seed in range(2):
            batch = random_batch([5, 7, 1, 6], seed=seed)
            optimizer.zero_grad()
            self_distillation(model(batch).logits, batch.label, objective).total.backward()
            optimizer.step()
        states.append(model.state_dict())
    first, second = states
    for name, of in first.items():
        assert torch.equal(of, second[name]), name


def lower_precision_is_close(model: Model) -> None:
    """With matrix products in bfloat16, as `training.precision` may say: it trains, and says about the same."""
    model.train()
    model.zero_grad()
    batch = random_batch([5, 7, 1, 6], model.config.modalities, missing=0.2)
    objective = model.objective_for(model.config, Objective())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = self_distillation(model(batch).logits, batch.label, objective)
    losses.total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lower = logits(model, batch)
    for head, expected in logits(model, batch).items():
        torch.testing.assert_close(lower[head].float(), expected, atol=0.03, rtol=0.03)


def looks_at(model: Model, *, context: bool, speakers: bool, says: bool | None = None) -> None:
    """Whether other utterances and speakers matter; and `says`, whether the model says that it looks at speakers."""
    batch = random_batch([6])
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    for x in changed.features.values():
        x[5] += 3
    before, after = logits(model, batch)["fused"], logits(model, changed)["fused"]
    assert torch.allclose(before[:4], after[:4], atol=1e-7) is not context
    renamed = dataclasses.replace(batch, speaker=torch.tensor([0, 0, 1, 1, 0, 1]))
    assert torch.equal(before, logits(model, renamed)["fused"]) is not speakers
    assert model.config.uses_speakers is (speakers if says is None else says)


def distinct(outputs: Mapping[str, torch.Tensor]) -> None:
    """Settings change what is computed."""
    for (one, x), (other, y) in itertools.combinations(outputs.items(), 2):
        assert x.shape != y.shape or not torch.allclose(x, y), f"{one} computes the same as {other}"
