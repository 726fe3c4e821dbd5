"""Every layout computes plain attention within each conversation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sdt.models.context import FULL, Context
from sdt.models.onnx_export import FlatLayout
from sdt.models.sdt import attention as module
from sdt.models.sdt import block_attention, causal
from sdt.models.sdt.attention import Layout, Padded, Ragged
from tests.models.build import random_batch

HEADS, SIZE = 2, 4
CONTEXTS = ("full", "past", "window(1)", "window(3)")


def tensors(n: int, encoders: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, encoders, HEADS, SIZE, generator=generator, dtype=dtype) for _ in range(3)]


def plain(
    lengths: Sequence[int], q: Tensor, k: Tensor, v: Tensor, present: Sequence[Tensor], context: Context = FULL
) -> Tensor:
    """Attention by the formula, one utterance, encoder and head at a time; zero where nothing can be read."""
    read = torch.zeros_like(v)
    for a, b in itertools.pairwise([0, *itertools.accumulate(lengths)]):
        for n, e, h in itertools.product(range(a, b), range(q.shape[1]), range(q.shape[2])):
            first = max(a, n + 1 - context.window) if context.window else a
            keys = [i for i in range(first, n + 1 if context.causal else b) if present[e][i]]
            if keys:
                scores = torch.stack([q[n, e, h] @ k[i, e, h] / math.sqrt(q.shape[3]) for i in keys])
                read[n, e, h] = sum(w * v[i, e, h] for w, i in zip(scores.softmax(0), keys, strict=True))
    return read


def layouts(lengths: Sequence[int], context: Context = FULL) -> list[Layout]:
    batch = random_batch(lengths)
    return [Ragged.of(batch, context), Padded.of(batch, context)]


def attend(layout: Layout, q: Tensor, k: Tensor, v: Tensor, present: Sequence[Tensor]) -> Tensor:
    """What is read, as a layer of an encoder takes it: nothing where there is no key."""
    keys = [layout.keys(of) for of in present]
    read = layout.attend(q, k, v, keys, 0.0)
    return read * torch.stack([key.has_context for key in keys], dim=1)[..., None].to(read.dtype)


@contextmanager
def in_parts() -> Iterator[None]:
    """As if every batch were too large for its weights to be held."""
    with (
        mock.patch.object(block_attention, "MAX_STORED_WEIGHTS", 0),
        mock.patch.object(block_attention, "CHUNK_WEIGHTS", 24),
    ):
        yield


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    missing=st.sampled_from([0.0, 0.4, 1.0]),
    encoders=st.integers(1, 3),
    seed=st.integers(0, 100),
    context=st.sampled_from(CONTEXTS),
    block=st.sampled_from([2, 64]),
)
def test_layouts_agree_with_the_formula(
    lengths: list[int], missing: float, encoders: int, seed: int, context: str, block: int
) -> None:
    n, within = sum(lengths), Context.of(context)
    q, k, v = tensors(n, encoders, seed)
    present = [torch.rand(n, generator=torch.Generator().manual_seed(seed + e)) >= missing for e in range(encoders)]
    expected = plain(lengths, q, k, v, present, within)
    with mock.patch.object(causal, "MIN_QUERIES", block):
        for layout in layouts(lengths, within):
            for gradient in (False, True):  # two ways through a ragged layout
                found = attend(layout, q.clone().requires_grad_(gradient), k, v, present)
                torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    number = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    flat = FlatLayout(number, random_batch(lengths).position, within)
    for e, of in enumerate(present):
        one = slice(e, e + 1)
        found = attend(flat, q[:, one], k[:, one], v[:, one], [of])
        torch.testing.assert_close(found, expected[:, one], atol=1e-5, rtol=1e-4)


def test_a_long_conversation_with_gaps_needs_no_square_of_weights() -> None:
    """PyTorch holds them all where a mask is not in one piece."""
    layout, (q, k, v) = Ragged.of(random_batch([9, 3])), tensors(12, 2)
    present = [torch.tensor([True, False, True] * 4)] * 2
    masks: list[bool] = []
    attention = F.scaled_dot_product_attention

    def seen(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float) -> Tensor:
        masks.append(mask.is_contiguous())
        return attention(q, k, v, mask, dropout)

    with (
        mock.patch.object(module, "CONTIGUOUS_MASK_LENGTH", 5),
        mock.patch.object(F, "scaled_dot_product_attention", seen),
    ):
        found = attend(layout, q, k, v, present)
    assert masks == [True, False]
    torch.testing.assert_close(found, plain([9, 3], q, k, v, present), atol=1e-5, rtol=1e-4)


def test_keys_say_which_conversations_have_any() -> None:
    present = torch.tensor([False, False, True, False, True])
    for layout in layouts([2, 3]):
        keys = layout.keys(present)
        assert keys.has_context.flatten().tolist() == [0, 0, 1, 1, 1]
        assert keys.present.tolist() == [True, True, True, False, True]
    assert Ragged.of(random_batch([2, 3])).keys(torch.ones(5, dtype=torch.bool)).complete


def test_the_keys_of_a_causal_context_are_those_of_each_utterance() -> None:
    present = torch.tensor([False, True, False, False, False, True])
    for layout in layouts([4, 2], Context.of("past")):
        assert layout.keys(present).has_context.flatten().tolist() == [0, 1, 1, 1, 0, 1]
    for layout in layouts([4, 2], Context.of("window(2)")):
        assert layout.keys(present).has_context.flatten().tolist() == [0, 1, 1, 0, 0, 1]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("weights", ["held", "computed again"])
def test_the_ragged_gradient_is_that_of_the_formula(missing: bool, context: str, weights: str) -> None:
    """By finite differences, and beside autograd through the formula; in blocks that share keys."""
    lengths, within = [3, 1, 4], Context.of(context)
    layout = Ragged.of(random_batch(lengths), within)
    present = torch.tensor([True, False, True, True, True, True, True, False]) if missing else torch.ones(8).bool()

    def ours(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(layout, q, k, v, [present] * 2)

    again = in_parts() if weights == "computed again" else nullcontext()
    with mock.patch.object(causal, "MIN_QUERIES", 2), again:
        inputs = [x.requires_grad_() for x in tensors(8, 2, dtype=torch.float64)]
        assert torch.autograd.gradcheck(ours, inputs)
        outer = torch.randn(8, 2, HEADS, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        found = torch.autograd.grad(ours(*inputs), inputs, outer)
    q, k, v = inputs
    expected = torch.autograd.grad(plain(lengths, q, k, v, [present] * 2, within), inputs, outer)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("context", ["past", "window(3)"])
def test_the_padded_gradient_is_that_of_the_ragged_layout(context: str) -> None:
    present = [torch.rand(15, generator=torch.Generator().manual_seed(e)) >= 0.4 for e in range(2)]
    outer = torch.randn(15, 2, HEADS, SIZE, generator=torch.Generator().manual_seed(1))
    found = []
    for layout in layouts([3, 1, 11], Context.of(context)):
        inputs = [x.requires_grad_() for x in tensors(15, 2)]
        with mock.patch.object(causal, "MIN_QUERIES", 4):
            found.append(torch.autograd.grad(attend(layout, inputs[0], inputs[1], inputs[2], present), inputs, outer))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("learns", [False, True])
def test_the_work_of_a_window_grows_with_the_length_and_not_with_its_square(learns: bool) -> None:
    """Counted in pairs of a query and a key, of which each layout masks every one that it computes."""

    def pairs(length: int, context: str) -> list[int]:
        found: list[int] = []
        barred = causal.KeyMask.masked

        def counted(self: causal.KeyMask, *given: Any) -> Tensor:
            mask = barred(self, *given)
            found.append(mask.numel())
            return mask

        q = torch.ones(length, 1, 1, 2).requires_grad_(learns)
        with mock.patch.object(causal.KeyMask, "masked", counted):
            for layout in layouts([length], Context.of(context)):
                layout.attend(q, q, q, [layout.keys(torch.ones(length, dtype=torch.bool))], 0.0)
        return found

    short, long = pairs(1000, "window(16)"), pairs(4000, "window(16)")
    assert sum(long) < 4.1 * sum(short)
    assert max(long) == max(short) == 64 * (64 + 15)
    with mock.patch.object(causal, "MAX_MASK_SIZE", 20000):  # all of the past: no block holds more at once than it may
        assert max(pairs(1000, "past")) <= 20000


@pytest.mark.parametrize("context", ["full", "window(2)"])
@pytest.mark.parametrize("weights", ["held", "computed again"])
def test_the_ragged_gradient_knows_the_dropout(context: str, weights: str) -> None:
    layout = Ragged.of(random_batch([3, 5]), Context.of(context))
    keys = [layout.keys(torch.ones(8, dtype=torch.bool))]

    def noisy(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        torch.manual_seed(0)
        return layout.attend(q, k, v, keys, 0.5)

    inputs = [x.requires_grad_() for x in tensors(8, 1, dtype=torch.float64)]
    with in_parts() if weights == "computed again" else nullcontext():
        assert not torch.equal(noisy(*inputs), layout.attend(inputs[0], inputs[1], inputs[2], keys, 0.0))
        assert torch.autograd.gradcheck(noisy, inputs)


@pytest.mark.parametrize(("context", "kind"), [("full", Ragged), ("past", Ragged), ("past", Padded)])
def test_training_on_a_long_conversation_holds_no_square_of_weights_or_masks(context: str, kind: Any) -> None:
    """Counted in what is kept between the forward and the backward pass, beyond queries, keys and values."""

    def kept(length: int) -> int:
        found: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            found[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        layout = kind.of(random_batch([length]), Context.of(context))
        present = torch.arange(length) % 5 > 0
        inputs = [x.requires_grad_() for x in tensors(length, 3)]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            read = attend(layout, inputs[0], inputs[1], inputs[2], [present] * 3)
        read.sum().backward()
        assert all(x.grad is not None and x.grad.abs().max() > 0 for x in inputs)
        return sum(found.values())

    with (
        mock.patch.object(block_attention, "MAX_STORED_WEIGHTS", 2**14),
        mock.patch.object(causal, "MAX_MASK_SIZE", 2**14),
    ):
        assert kept(800) < 2.2 * kept(400)


@pytest.mark.parametrize("weights", ["held", "computed again"])
def test_dropout_of_the_weights_keeps_their_expectation(weights: str) -> None:
    layout = Ragged.of(random_batch([6]))
    q, k, v = tensors(6, 1)
    keys = [layout.keys(torch.ones(6, dtype=torch.bool))]
    expected = layout.attend(q, k, v, keys, 0.0)
    q = q.requires_grad_()
    torch.manual_seed(0)
    with in_parts() if weights == "computed again" else nullcontext():
        drawn = torch.stack([layout.attend(q, k, v, keys, 0.5).detach() for _ in range(1500)])
    assert drawn.std(dim=0).min() > 0
    error = (drawn.mean(dim=0) - expected) / (drawn.std(dim=0) / 1500**0.5)
    assert error.abs().max() < 5
