from __future__ import annotations

import pytest
import torch

from sdt.models.dropout import Dropout, dropout_noise

N = 400_000


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9, 0.999])
def test_the_share_of_zeros_and_the_expectation(probability: float) -> None:
    torch.manual_seed(0)
    noise = dropout_noise((N,), probability)
    assert float((noise == 0).float().mean()) == pytest.approx(probability, abs=4 * 0.5 / N**0.5)
    # What is kept has one value, and the values' expectation is 1 exactly, whatever the probability was rounded to.
    (kept,) = noise[noise > 0].unique().tolist()
    assert kept == pytest.approx(1 / (1 - probability), rel=0.01)
    assert float(noise.mean()) == pytest.approx(1, abs=5 * (kept / N) ** 0.5)


def test_draws_are_independent_of_their_neighbours() -> None:
    """Four draws share 64 bits: neither they nor neighbouring fours may hang together."""
    torch.manual_seed(1)
    noise = dropout_noise((N,), 0.5) - 1
    for lag in (1, 2, 3, 4, 5, 8):
        assert abs(float((noise[lag:] * noise[:-lag]).mean())) < 5 / N**0.5


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_any_shape_and_type(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    noise = dropout_noise(shape, 0.5, dtype)
    assert noise.shape == torch.Size(shape)
    assert noise.dtype == dtype


def test_the_seed_decides() -> None:
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(dropout_noise((100,), 0.5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_extreme_probabilities_stay_finite() -> None:
    assert (dropout_noise((1000,), 1e-9) == 1).all()
    assert dropout_noise((1000,), 1 - 1e-9).isfinite().all()


def test_the_module_is_the_identity_unless_it_trains() -> None:
    x = torch.ones(1000)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    assert (Dropout(0.5).train()(x) == 0).any()


def test_the_gradient_has_the_same_zeros() -> None:
    x = torch.ones(1000, requires_grad=True)
    y = Dropout(0.3).train()(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())
