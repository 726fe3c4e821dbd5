"""Products whose last bits depend on shapes: see tests/kernels/rounding.py."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.shared import KERNELS

pytestmark = pytest.mark.skipif(
    not KERNELS or not hasattr(torch.library, "get_kernel"), reason="PyTorch's products are as they are"
)
PROGRAM = """
import torch
x = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
print(torch.equal((x @ x.T)[:4], x[:4] @ x.T))
"""


def test_bits_depend_on_shapes_but_for_rounding_nothing_does() -> None:
    linear, x = nn.Linear(9, 5), torch.randn(6, 9)
    for learns in (True, False):
        with torch.set_grad_enabled(learns):
            whole = linear(x)
            assert torch.equal(whole, linear(x))
            assert not torch.equal(whole[:4], linear(x[:4]))
            torch.testing.assert_close(whole[:4], linear(x[:4]), atol=1e-6, rtol=1e-6)


def test_gradients_round_likewise() -> None:
    linear, x = nn.Linear(9, 5), torch.randn(6, 9)
    gradients = []
    for copies in (1, 2, 1):
        linear.zero_grad()
        (linear(x.repeat(copies, 1)).square().sum() / copies).backward()
        assert linear.weight.grad is not None
        gradients.append(linear.weight.grad)
    assert torch.equal(gradients[0], gradients[2])
    assert not torch.equal(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_exact_products_stay_exact() -> None:
    x = torch.arange(35.0).view(5, 7)
    assert torch.equal(torch.eye(5) @ x, x)
    assert torch.equal(x.double() @ x.double().T, (x @ x.T).double())


def test_other_processes_round_alike() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
