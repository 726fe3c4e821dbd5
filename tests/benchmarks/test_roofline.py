from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.implementations import padded
from benchmarks.roofline import Roofline, inference_flops, training_flops
from benchmarks.settings import random_batch
from benchmarks.textbook import TextbookSDT, loss_terms
from tests.benchmarks.small import small_setting


@pytest.mark.parametrize("gate", ["learned", "frozen"])
def test_flops_equal_those_of_pytorch_without_padding(gate: str) -> None:
    setting = small_setting(gate)
    batch = padded(random_batch(setting, [5, 5, 5], seed=0), setting.speakers)
    model = TextbookSDT(setting.widths, 3, setting.speakers, 16, 2, 0.5, learned_gates=gate == "learned")

    def counted(counter: FlopCounterMode) -> int:
        attention = torch.ops.aten.bmm
        return sum(flops for of, flops in counter.get_flop_counts()["Global"].items() if of != attention)

    with FlopCounterMode(display=False) as forward:
        logits = model(batch)
    assert counted(forward) == inference_flops(setting.config, 15)
    with FlopCounterMode(display=False) as backward:
        torch.stack(loss_terms(logits, batch, 1.0)).sum().backward()
    assert counted(forward) + counted(backward) == training_flops(setting.config, 15)


def test_the_bound_of_training() -> None:
    setting = small_setting()
    roofline = Roofline(setting, "cpu", "float32")
    limit = roofline.training([10, 20], repeats=2)
    assert limit.flops == training_flops(setting.config, 30)
    assert limit.steps == 2
    assert 0 < limit.flops / limit.peak < limit.seconds < limit.own_seconds
    assert limit.traffic * limit.optimizer == pytest.approx(7 * 4 * roofline.parameters)


def test_the_bound_of_prediction() -> None:
    setting = small_setting()
    roofline = Roofline(setting, "cpu", "float32")
    limit = roofline.inference([1, 1], repeats=2)
    reading = 4 * roofline.parameters / limit.bandwidth
    assert limit.seconds == pytest.approx(2 * max(reading, inference_flops(setting.config, 1) / limit.peak))
