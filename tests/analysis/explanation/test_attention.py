"""What is recorded is what the model's own layouts compute."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from sdt.analysis.explanation.attention import RecordingLayout, record_attention
from sdt.models.config import Architecture
from sdt.models.sdt.attention import layout_of
from sdt.models.sdt.relations import BUCKETS, Places, Relation
from tests.analysis.explanation.build import lively, one
from tests.models.build import random_batch, small_model


@pytest.mark.parametrize("related", [{}, {"head_patterns": "own(1),near(2)"}, {"relative_positions": True}])
@pytest.mark.parametrize("context", ["full", "past", "window(3)"])
@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("length", [1, 7])
def test_recorded_maps_times_values_are_what_the_models_layout_reads(
    length: int, missing: float, context: str, related: dict[str, Any]
) -> None:
    encoders, heads, size = 3, 2, 4
    generator = torch.Generator().manual_seed(length)
    q, k, v = (torch.randn(length, encoders, heads, size, generator=generator) for _ in range(3))
    present = [torch.rand(length, generator=generator) >= missing for _ in range(encoders)]
    within = Architecture(width=8, heads=heads, context=context, **related).attention_context
    bias = torch.randn(encoders, heads, BUCKETS, generator=generator) if within.relative else None
    places = Places.of(one(length))
    readable = Relation.of(places[:, None], places[None, :]).readable(within)  # [H or 1, T, T]
    own, recording = layout_of(one(length), within), RecordingLayout(within, places)
    keys = [own.keys(of) for of in present]
    expected = own.attend(q, k, v, keys, 0.0, bias)
    found = recording.attend(q, k, v, [recording.keys(of) for of in present], 0.0, bias)
    (weights,) = recording.recorded  # [E, H, T, T]
    for e, (of, key) in enumerate(zip(present, keys, strict=True)):
        read = (key.has_context > 0 if key.head_context is None else key.head_context).expand(length, heads)  # [T, H]
        torch.testing.assert_close(found[:, e][read], expected[:, e][read], atol=1e-5, rtol=1e-4)
        product = torch.einsum("hij,jhd->ihd", weights[e], v[:, e])
        torch.testing.assert_close(product[read], expected[:, e][read], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(weights[e].sum(-1), read.t().float())
        assert not weights[e][~(readable & of).expand(heads, length, length)].any()


@pytest.mark.parametrize("context", ["full", "window(4)"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_the_logits_are_those_of_the_ordinary_forward(layers: int, missing: float, context: str) -> None:
    model, batch = lively(layers=layers, context=context), one(9, missing=missing)
    with torch.no_grad():
        expected = model(batch)
        found, maps = record_attention(model, batch)
    for head, logits in expected.logits.items():
        torch.testing.assert_close(found.logits[head], logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.weights, expected.weights, atol=1e-5, rtol=1e-5)
    assert len(maps) == layers
    for of in maps:
        assert list(of) == [(t, s) for t in batch.present for s in (t, *(m for m in batch.present if m != t))]


def test_each_map_is_that_of_its_pair() -> None:
    model, batch = lively(), one(5)
    with torch.no_grad():
        _, (maps,) = record_attention(model, batch)
        inputs, _ = model._inputs(batch)
        for target, source in itertools.product(inputs, repeat=2):
            layer = model.encoders[target][source].layers[0]  # type: ignore[index]
            q, k, _ = layer.before_attention(inputs[target], inputs[source])
            expected = (torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(q.shape[2])).softmax(-1)
            torch.testing.assert_close(torch.from_numpy(maps[target, source]), expected, atol=1e-5, rtol=1e-4)


def test_one_conversation_and_no_dropout() -> None:
    with pytest.raises(ValueError, match="not for 2"):
        record_attention(small_model(), random_batch([2, 3]))
    with pytest.raises(ValueError, match="evaluation mode"), torch.no_grad():
        record_attention(small_model().train(), one(3))
