"""Head patterns and relative positions: what each head reads, in every layout, and how they learn."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sdt.batch import Batch
from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.models.config import Architecture
from sdt.models.context import HeadPattern, head_patterns
from sdt.models.onnx_export import FlatLayout
from sdt.models.sdt import block_attention, relations
from sdt.models.sdt.attention import Layout, Padded, Ragged
from sdt.models.sdt.relations import BOUNDARIES, BUCKETS, SIDES, Places, Relation, count_turns
from sdt.prediction.stream_cache import CachingReader
from sdt.prediction.stream_readers import EncodedUtterance
from sdt.speakers import number_participants
from tests.models.build import random_batch, small_model

HEADS = 4
RELATED: list[dict[str, Any]] = [
    {"head_patterns": "own(2),near(2)"},
    {"head_patterns": "own,others,all,others(1)"},
    {"head_patterns": "near(1)"},
    {"relative_positions": True},
    {"head_patterns": "own(1),near(3)", "relative_positions": True},
]
CONTEXTS = ["full", "past", "window(3)"]


def batch_of(lengths: list[int], *, missing: float = 0.0, speakers: int = 3, seed: int = 0) -> Batch:
    """Random conversations in which each utterance has a random participant."""
    batch = random_batch(lengths, missing=missing, seed=seed)
    drawn = torch.randint(speakers, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    return dataclasses.replace(batch, participant=drawn)


def naive(pattern: HeadPattern, context: str, people: list[int], i: int, j: int) -> bool:
    """Whether the head of utterance i reads utterance j of a conversation, from the words of the documentation."""
    if (context != "full" and j > i) or (context == "window(3)" and i - j >= 3):
        return False
    if i == j:
        return True
    low, high = sorted((i, j))
    own = sum(person == people[i] for person in people[low:high])
    return {
        "any": pattern.reach is None or high - low <= pattern.reach,
        "same": people[i] == people[j] and (pattern.reach is None or own <= pattern.reach),
        "other": people[i] != people[j] and (pattern.reach is None or high - low <= pattern.reach),
    }[pattern.speaker]


@settings(max_examples=60, deadline=None)
@given(
    people=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    related=st.sampled_from(RELATED[:3]),
    context=st.sampled_from(CONTEXTS),
)
def test_what_each_head_reads(people: list[int], related: dict[str, Any], context: str) -> None:
    within = Architecture(width=8, heads=HEADS, context=context, **related).attention_context
    size = len(people)
    participant = torch.tensor(people)
    places = Places(torch.arange(size), participant, count_turns(participant))
    found = Relation.of(places[:, None], places[None, :]).readable(within).expand(HEADS, size, size)
    for head, i, j in itertools.product(range(HEADS), range(size), range(size)):
        assert found[head, i, j] == naive(within.patterns[head], context, people, i, j), (head, i, j)


def test_the_setting() -> None:
    assert head_patterns("all", 8) == head_patterns("all, all", 8) == ()
    assert head_patterns("own(2), near(3)", 4) == (*[HeadPattern("same", 2)] * 2, *[HeadPattern("any", 3)] * 2)
    assert head_patterns("others,all", 2) == (HeadPattern("other"), HeadPattern())
    assert not Architecture().attention_context.related


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("own(2", "'own\\(2'.*own\\(2\\)"),
        ("near", "near\\(2\\)"),
        ("near(0)", "near\\(2\\)"),
        ("", "known are"),
        ("own,near(1),all", "3 patterns do not divide 4 heads"),
        (",".join(["all"] * 100), "100 patterns"),
        ("near(" + "9" * 50 + ")", "model.head_patterns"),
    ],
)
def test_a_setting_that_is_refused(text: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        Architecture(width=8, heads=4, head_patterns=text)


@pytest.mark.parametrize("fusion", ["gated", "selective"])
def test_a_lower_gate_temperature_makes_weights_less_even(fusion: str) -> None:
    """With all else equal, the largest weight grows and the order of the modalities stays."""
    batch = random_batch([7])
    with torch.no_grad():
        warm, cold = (
            small_model(fusion=fusion, gate_temperature=of)(batch).weights for of in (1.0, 0.1)
        )  # [N, M, d or 1]
    assert (cold.amax(dim=1) > warm.amax(dim=1)).all()
    assert torch.equal(cold.argsort(dim=1), warm.argsort(dim=1))


@pytest.mark.parametrize("change", [{"gate_temperature": 0.0}, {"gate_temperature": 2.0, "fusion": "addition"}])
def test_a_gate_temperature_that_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"model\.gate_temperature"):
        Architecture(**change)


def test_the_reliability_of_a_modality_scales_its_input_and_its_weight() -> None:
    """r near 0 removes a modality from all branches but for positions and speakers; r near 1 is the published model."""
    batch = random_batch([7])
    model, plain = small_model(reliability=True), small_model()
    plain.load_state_dict({name: x for name, x in model.state_dict().items() if not name.startswith("reliability")})
    of_audio: Any = model.reliability["audio"]
    changed = dataclasses.replace(batch, features={**batch.features, "audio": batch.features["audio"] + 1})
    with torch.no_grad():
        of_all: list[Any] = list(model.reliability.values())
        for score in (of.score for of in of_all):
            score.weight.zero_()
            score.bias.fill_(20.0)
        torch.testing.assert_close(model(batch).logits["fused"], plain(batch).logits["fused"])
        of_audio.score.bias.fill_(-20.0)
        output = model(batch)
        torch.testing.assert_close(output.weights.sum(dim=1), torch.ones_like(output.weights[:, 0]))
        assert output.weights[:, list(model.reliability).index("audio")].max() < 1e-6
        for name, logits in model(changed).logits.items():
            torch.testing.assert_close(logits, output.logits[name])
        assert not torch.allclose(plain(changed).logits["fused"], plain(batch).logits["fused"])


@pytest.mark.parametrize("fusion", ["addition", "concatenation"])
def test_reliability_needs_weights(fusion: str) -> None:
    with pytest.raises(InputError, match=r"model\.reliability"):
        Architecture(fusion=fusion, reliability=True)


def test_turns_are_counted_by_conversation_and_speaker() -> None:
    batch = dataclasses.replace(random_batch([4, 2]), participant=torch.tensor([1, 0, 1, 1, 1, 0]))
    assert count_turns(batch.speaker_groups()).tolist() == [0, 0, 1, 2, 0, 0]


def test_speakers_that_the_model_does_not_know_are_told_apart() -> None:
    people = ["Ann", "Bea", "Ann", "Cay"]
    conversation = Conversation("c", tuple(Utterance(str(n), who) for n, who in enumerate(people)))
    assert number_participants(conversation) == [0, 1, 0, 2]


def test_buckets() -> None:
    distance = torch.arange(-30, 31)
    sides = relations._bucket(distance)
    assert sides.min() == 0
    assert sides.max() == SIDES - 1
    assert sides[30] == len(BOUNDARIES)
    assert (sides.diff() >= 0).all()
    expected = [sum(n >= bound for bound in BOUNDARIES) for n in range(31)]
    assert (sides[30:] - len(BOUNDARIES)).tolist() == expected
    assert (sides + sides.flip(0)).unique().tolist() == [2 * len(BOUNDARIES)]
    same = Relation(distance, torch.ones(61, dtype=torch.bool), distance).buckets()
    other = Relation(distance, torch.zeros(61, dtype=torch.bool), distance).buckets()
    assert 0 <= same.min() <= max(same.max(), other.max()) < BUCKETS
    assert not set(same.tolist()) & set(other.tolist())


def reference(
    within: Any, batch: Batch, q: Tensor, k: Tensor, v: Tensor, present: list[Tensor], bias: Tensor | None
) -> Tensor:
    """Attention by its formula, one utterance, encoder and head at a time; 0 where a head reads nothing."""
    rows, places = [], Places.of(batch)
    starts = [0, *batch.lengths.cumsum(0).tolist()]
    for a, b in itertools.pairwise(starts):
        relation = Relation.of(places[a:b][:, None], places[a:b][None, :])
        readable = relation.readable(within).expand(HEADS, b - a, b - a)
        buckets = relation.buckets()
        for i in range(b - a):
            for e, h in itertools.product(range(q.shape[1]), range(HEADS)):
                keys = [j for j in range(b - a) if readable[h, i, j] and present[e][a + j]]
                if not keys:
                    rows.append(torch.zeros_like(v[0, 0, 0]))
                    continue
                scores = torch.stack([q[a + i, e, h] @ k[a + j, e, h] / math.sqrt(q.shape[3]) for j in keys])
                if bias is not None:
                    scores = scores + torch.stack([bias[e, h, buckets[i, j]] for j in keys])
                rows.append(scores.softmax(0) @ torch.stack([v[a + j, e, h] for j in keys]))
    return torch.stack(rows).view(q.shape)


def masked(layout: Layout, q: Tensor, k: Tensor, v: Tensor, present: list[Tensor], bias: Tensor | None) -> Tensor:
    keys = [layout.keys(of) for of in present]
    found = layout.attend(q, k, v, keys, 0.0, bias)
    kept = [
        torch.ones(len(q), HEADS) if key.head_context is None else key.head_context.expand(-1, HEADS).float()
        for key in keys
    ]
    return found * torch.stack(kept, dim=1)[..., None]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("related", RELATED)
@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_all_layouts_compute_the_formula_and_its_gradient(
    related: dict[str, Any], context: str, missing: float
) -> None:
    within = Architecture(width=8, heads=HEADS, context=context, **related).attention_context
    lengths = [5, 1, 8]
    batch, n = batch_of(lengths, missing=missing), sum(lengths)
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(n, 2, HEADS, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    bias = torch.randn(2, HEADS, BUCKETS, generator=generator, dtype=torch.float64) if within.relative else None
    outer = torch.randn(q.shape, generator=generator, dtype=torch.float64)
    present = [torch.rand(n, generator=generator) >= missing for _ in range(2)]
    inputs = [x.requires_grad_() for x in (q, k, v, bias) if x is not None]
    expected = reference(within, batch, q, k, v, present, bias)
    wanted = torch.autograd.grad(expected, inputs, outer)
    kinds: list[tuple[type[Ragged | Padded], bool]] = [(Ragged, True), (Ragged, False), (Padded, True)]
    for kind, stored in kinds:
        with (
            mock.patch.object(block_attention, "MAX_STORED_WEIGHTS", 1 << 24 if stored else 0),
            mock.patch.object(block_attention, "CHUNK_WEIGHTS", 1 << 23 if stored else 100),
            mock.patch.object(relations, "MAX_PAIRS", 1 << 22 if stored else 60),
        ):
            layout = kind.of(batch, within)
            found = masked(layout, q, k, v, present, bias)
            torch.testing.assert_close(found, expected)
            for one, other in zip(torch.autograd.grad(found, inputs, outer), wanted, strict=True):
                torch.testing.assert_close(one, other)
            with torch.no_grad():
                torch.testing.assert_close(masked(layout, q, k, v, present, bias), expected)
    conversation = torch.arange(len(lengths)).repeat_interleave(batch.lengths)
    flat = FlatLayout(conversation, batch.position, within, batch.participants)
    with torch.no_grad():
        for e in range(2):
            part = slice(e, e + 1)
            of = None if bias is None else bias[part]
            found = masked(flat, q[:, part], k[:, part], v[:, part], present[part], of)
            torch.testing.assert_close(found, expected[:, part])


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_patterns_that_exclude_nothing_and_a_bias_of_zero_are_the_published_model(context: str, missing: float) -> None:
    batch = batch_of([9, 3, 12], missing=missing)
    with torch.no_grad():
        published = small_model(context=context)(batch)
        switches: list[dict[str, Any]] = [{"head_patterns": "near(20)"}, {"relative_positions": True}]
        for switch in switches:
            found = small_model(context=context, **switch)(batch)
            for name, logits in published.logits.items():
                torch.testing.assert_close(found.logits[name], logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("related", RELATED)
def test_conversations_do_not_change_each_other(related: dict[str, Any]) -> None:
    model = small_model(heads=HEADS, **related)
    both, alone = batch_of([4, 7], missing=0.3), batch_of([4], missing=0.3)
    with torch.no_grad():
        torch.testing.assert_close(model(both).logits["fused"][:4], model(alone).logits["fused"], atol=1e-5, rtol=1e-5)


def test_an_utterance_out_of_reach_changes_nothing() -> None:
    model = small_model(head_patterns="own(1),near(2)", heads=HEADS)
    batch = dataclasses.replace(batch_of([8]), participant=torch.tensor([0, 1, 1, 0, 1, 1, 1, 0]))
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    for x in changed.features.values():
        x[0] += 1
    with torch.no_grad():
        differs = (model(batch).logits["fused"] - model(changed).logits["fused"]).abs().amax(dim=1) > 1e-6
    assert differs.tolist() == [True, True, True, True, False, False, False, False]


@pytest.mark.parametrize("related", RELATED)
@pytest.mark.parametrize("context", ["past", "window(3)"])
def test_streaming_gives_the_predictions_of_the_whole_conversation(related: dict[str, Any], context: str) -> None:
    model = small_model(context=context, heads=HEADS, layers=2, **related)
    if related.get("relative_positions"):
        for name, parameter in model.named_parameters():
            if "relative" in name:
                torch.nn.init.normal_(parameter)
    batch = batch_of([11], missing=0.3)
    with torch.no_grad():
        expected = model(batch).logits["fused"].log_softmax(1)
    reader, memories = CachingReader(model), dict[str, Any]()
    for first, last in [(0, 1), (1, 2), (2, 6), (6, 11)]:
        utterances = [
            EncodedUtterance(
                "c",
                str(row),
                row,
                int(batch.speaker[row]),
                int(batch.participants[row]),
                {name: x[row].numpy() for name, x in batch.features.items()},
                {name: np.bool_(x[row]) for name, x in batch.present.items()},
            )
            for row in range(first, last)
        ]
        found, memories = reader.read(memories, utterances)
        for row, prediction in zip(range(first, last), found, strict=True):
            if prediction.probabilities:
                own = torch.tensor(list(prediction.probabilities.values())).log()
                torch.testing.assert_close(own, expected[row].double(), atol=1e-4, rtol=1e-4, check_dtype=False)


@pytest.mark.parametrize("related", RELATED)
def test_every_parameter_learns(related: dict[str, Any]) -> None:
    model = small_model(heads=HEADS, **related).train()
    model(batch_of([6, 4])).logits["fused"].sum().backward()
    lacking = [
        name
        for name, parameter in model.named_parameters()
        if not name.startswith("students") and (parameter.grad is None or not parameter.grad.any())
    ]
    assert not [name for name in lacking if "key.bias" not in name and "speakers" not in name]
