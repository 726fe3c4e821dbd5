"""Weight averaging: the means by hand, the context manager, and a checkpoint in between."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sdt.errors import InputError
from sdt.training.averaging import WeightAverage, weight_average
from sdt.training.settings import Training


def walk(model: nn.Module, average: WeightAverage, epochs: range) -> list[torch.Tensor]:
    """Set random weights in 3 steps per epoch; returns the weights after every step."""
    seen = []
    for epoch in epochs:
        for step in range(3):
            generator = torch.Generator().manual_seed(10 * epoch + step)
            with torch.no_grad():
                model.weight.copy_(torch.randn(2, 2, generator=generator))  # type: ignore[operator]
            average.after_step(3 * epoch + step + 1)
            seen.append(model.weight.detach().clone())  # type: ignore[operator]
        average.after_epoch()
    return seen


def made(setting: str) -> tuple[nn.Linear, WeightAverage]:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    return model, weight_average(model, Training(averaging=setting))


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_exponential(decay: float) -> None:
    model, average = made(f"ema({decay})")
    expected = model.weight.detach().double()
    for step, weight in enumerate(walk(model, average, range(4)), start=1):
        d = min(decay, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * weight.double()
    torch.testing.assert_close(average.average()["weight"].double(), expected, rtol=1e-5, atol=1e-6)
    assert average.average().keys() == {"weight"}


@pytest.mark.parametrize(("count", "epochs"), [(1, 3), (2, 5), (4, 2)])
def test_the_last_epochs(count: int, epochs: int) -> None:
    model, average = made(f"last({count})")
    ends = walk(model, average, range(epochs))[2::3][-count:]
    torch.testing.assert_close(average.average()["weight"], torch.stack(ends).mean(dim=0))


@pytest.mark.parametrize("setting", ["none", "ema(0.9)", "last(2)"])
def test_applied_gives_the_average_and_then_the_trained_weights_back(setting: str) -> None:
    model, average = made(setting)
    last = walk(model, average, range(2))[-1]
    expected = {name: x.clone() for name, x in average.average().items()}.get("weight", last)
    with average.applied():
        assert torch.equal(model.weight, expected)
        assert (setting == "none") == torch.equal(model.weight, last)
    assert torch.equal(model.weight, last)
    assert model.weight.requires_grad


@pytest.mark.parametrize("setting", ["ema(0.9)", "last(1)", "last(3)"])
def test_a_checkpoint_continues_bit_for_bit(setting: str) -> None:
    model, average = made(setting)
    walk(model, average, range(2))
    other, again = made(setting)
    again.load_state_dict({name: x.clone() for name, x in average.state_dict().items()})
    other.load_state_dict(model.state_dict())
    for one, its in ((model, average), (other, again)):
        walk(one, its, range(2, 4))
    assert torch.equal(average.average()["weight"], again.average()["weight"])


@pytest.mark.parametrize("setting", ["ema", "ema(1)", "ema(0)", "last(0)", "last(1.5)", "lasr(3)", ""])
def test_settings_that_are_refused(setting: str) -> None:
    with pytest.raises(InputError, match=r"^training\.averaging: "):
        Training(averaging=setting)
