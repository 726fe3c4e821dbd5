"""Every layout computes plain attention within each conversation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sdt.model.attention import Layout, Padded, Ragged
from sdt.prediction.onnx import FlatLayout
from tests.model.build import random_batch

HEADS, SIZE = 2, 4


def tensors(n: int, encoders: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, encoders, HEADS, SIZE, generator=generator, dtype=dtype) for _ in range(3)]


def plain(lengths: Sequence[int], q: Tensor, k: Tensor, v: Tensor, present: Sequence[Tensor]) -> Tensor:
    """Attention by the formula, one utterance, encoder and head at a time."""
    read = torch.zeros_like(v)
    for a, b in itertools.pairwise([0, *itertools.accumulate(lengths)]):
        for n, e, h in itertools.product(range(a, b), range(q.shape[1]), range(q.shape[2])):
            keys = [i for i in range(a, b) if present[e][i]] or list(range(a, b))
            scores = torch.stack([q[n, e, h] @ k[i, e, h] / math.sqrt(q.shape[3]) for i in keys])
            read[n, e, h] = sum(w * v[i, e, h] for w, i in zip(scores.softmax(0), keys, strict=True))
    return read


def layouts(lengths: Sequence[int]) -> list[Layout]:
    batch = random_batch(lengths)
    return [Ragged.of(batch), Padded.of(batch)]


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    missing=st.sampled_from([0.0, 0.4, 1.0]),
    encoders=st.integers(1, 3),
    seed=st.integers(0, 100),
)
def test_layouts_agree_with_the_formula(lengths: list[int], missing: float, encoders: int, seed: int) -> None:
    n = sum(lengths)
    q, k, v = tensors(n, encoders, seed)
    present = [torch.rand(n, generator=torch.Generator().manual_seed(seed + e)) >= missing for e in range(encoders)]
    expected = plain(lengths, q, k, v, present)
    for layout in layouts(lengths):
        keys = [layout.keys(of) for of in present]
        for gradient in (False, True):  # two ways through a ragged layout
            found = layout.attend(q.clone().requires_grad_(gradient), k, v, keys, 0.0)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    flat = FlatLayout(torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)))
    for e, of in enumerate(present):
        one = slice(e, e + 1)
        found = flat.attend(q[:, one], k[:, one], v[:, one], [flat.keys(of)], 0.0)
        torch.testing.assert_close(found, expected[:, one], atol=1e-5, rtol=1e-4)


def test_keys_say_which_conversations_have_any() -> None:
    present = torch.tensor([False, False, True, False, True])
    for layout in layouts([2, 3]):
        keys = layout.keys(present)
        assert keys.some.flatten().tolist() == [0, 0, 1, 1, 1]
        assert keys.present.tolist() == [True, True, True, False, True]
    assert Ragged.of(random_batch([2, 3])).keys(torch.ones(5, dtype=torch.bool)).complete


@pytest.mark.parametrize("missing", [False, True])
def test_the_ragged_gradient_is_that_of_the_formula(missing: bool) -> None:
    layout = Ragged.of(random_batch([3, 1, 4]))
    present = torch.tensor([True, False, True, True, True, True, True, False]) if missing else torch.ones(8).bool()
    keys = [layout.keys(present)] * 2

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return layout.attend(q, k, v, keys, 0.0)

    inputs = [x.requires_grad_() for x in tensors(8, 2, dtype=torch.float64)]
    assert torch.autograd.gradcheck(attend, inputs)


def test_the_ragged_gradient_knows_the_dropout() -> None:
    layout = Ragged.of(random_batch([3, 5]))
    keys = [layout.keys(torch.ones(8, dtype=torch.bool))]

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        torch.manual_seed(0)
        return layout.attend(q, k, v, keys, 0.5)

    inputs = [x.requires_grad_() for x in tensors(8, 1, dtype=torch.float64)]
    assert torch.autograd.gradcheck(attend, inputs)


def test_dropout_of_the_weights_keeps_their_expectation() -> None:
    layout = Ragged.of(random_batch([6]))
    q, k, v = tensors(6, 1)
    keys = [layout.keys(torch.ones(6, dtype=torch.bool))]
    expected = layout.attend(q, k, v, keys, 0.0)
    q = q.requires_grad_()
    torch.manual_seed(0)
    drawn = torch.stack([layout.attend(q, k, v, keys, 0.5).detach() for _ in range(4000)])
    assert drawn.std(dim=0).min() > 0
    error = (drawn.mean(dim=0) - expected) / (drawn.std(dim=0) / 4000**0.5)
    assert error.abs().max() < 5
