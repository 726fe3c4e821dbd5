"""bc-LSTM step by step, against a plain loop written from the equations of the LSTM and of the paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdt.errors import InputError
from sdt.models.baselines.bc_lstm import BcLSTM, ContextualLSTM
from sdt.models.config import Objective
from sdt.models.objective import self_distillation
from tests.models.baselines import contract
from tests.models.build import WIDTHS, random_batch

LENGTHS = [4, 1, 6]


def lstm(network: nn.LSTM, x: Tensor, end: str) -> list[Tensor]:
    """h_1, ..., h_T of one direction: input, forget and output gate, candidate, cell."""
    w, u = getattr(network, f"weight_ih_l0{end}"), getattr(network, f"weight_hh_l0{end}")
    b = getattr(network, f"bias_ih_l0{end}") + getattr(network, f"bias_hh_l0{end}")
    size = network.hidden_size
    h, c, found = torch.zeros(size), torch.zeros(size), []
    for x_t in x:
        z = w @ x_t + u @ h + b
        i, f, o = torch.sigmoid(z[:size]), torch.sigmoid(z[size : 2 * size]), torch.sigmoid(z[3 * size :])
        c = f * c + i * torch.tanh(z[2 * size : 3 * size])
        h = o * torch.tanh(c)
        found.append(h)
    return found


def plain(network: ContextualLSTM, x: Tensor) -> tuple[Tensor, Tensor]:
    """z and logits of one conversation."""
    ahead, back = lstm(network.lstm, x, ""), lstm(network.lstm, x.flip(0), "_reverse")[::-1]
    zs, logits = [], []
    for forwards, backwards in zip(ahead, back, strict=True):
        h = torch.cat((forwards, backwards))
        z = torch.clamp(network.dense.weight @ h + network.dense.bias, min=0)
        zs.append(z)
        logits.append(network.classifier.weight @ z + network.classifier.bias)
    return torch.stack(zs), torch.stack(logits)


def model(**options: Any) -> BcLSTM:
    built = contract.build(BcLSTM, {"width": 12, "dense": 7, **options})
    assert isinstance(built, BcLSTM)
    return built


def test_two_levels() -> None:
    bc_lstm, batch = model(), random_batch(LENGTHS)
    with torch.no_grad():
        found = bc_lstm(batch).logits
        for rows in torch.arange(11).split(LENGTHS):
            level1 = {name: plain(bc_lstm.unimodal[name], batch.features[name][rows]) for name in WIDTHS}  # type: ignore[arg-type]
            _, fused = plain(bc_lstm.multimodal, torch.cat([z for z, _ in level1.values()], dim=1))
            torch.testing.assert_close(found["fused"][rows], fused, atol=1e-5, rtol=1e-5)
            for name, (_, logits) in level1.items():
                torch.testing.assert_close(found[name][rows], logits, atol=1e-5, rtol=1e-5)


def test_one_level() -> None:
    bc_lstm, batch = model(fusion="concatenation"), random_batch(LENGTHS)
    assert bc_lstm.classifier_names == ("fused",)
    with torch.no_grad():
        found = bc_lstm(batch).logits["fused"]
        for rows in torch.arange(11).split(LENGTHS):
            _, fused = plain(bc_lstm.multimodal, torch.cat([x[rows] for x in batch.features.values()], dim=1))
            torch.testing.assert_close(found[rows], fused, atol=1e-5, rtol=1e-5)


def test_one_modality_has_level_1_alone() -> None:
    unimodal = contract.build(BcLSTM, {"width": 12, "dense": 7}, {"text": 6})
    assert unimodal.classifier_names == ("fused",)
    assert not any("unimodal" in name for name, _ in unimodal.named_parameters())


@pytest.mark.parametrize("end_to_end", [False, True])
def test_what_level_1_learns_from(end_to_end: bool) -> None:
    bc_lstm, batch = model(end_to_end=end_to_end), random_batch(LENGTHS)
    self_distillation(bc_lstm(batch).logits, batch.label, Objective(hard=0, soft=0)).total.backward()
    reached = {name.partition(".")[0] for name, p in bc_lstm.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == ({"unimodal", "multimodal"} if end_to_end else {"multimodal"})


def test_its_objective() -> None:
    bc_lstm = model()
    assert bc_lstm.objective_for(bc_lstm.config, Objective(temperature=8)) == Objective(soft=0, temperature=8)
    with pytest.raises(InputError, match=r"objective\.hard: 0"):
        bc_lstm.objective_for(bc_lstm.config, Objective(hard=0))
    with pytest.raises(InputError, match=r"objective\.soft: 0\.5"):
        bc_lstm.objective_for(bc_lstm.config, Objective(soft=0.5))
    joint = model(end_to_end=True)
    assert joint.objective_for(joint.config, Objective(hard=0)) == Objective(hard=0, soft=0)
