"""The whole model: packing, missing modalities, switches, gradients, published sizes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sdt.errors import InputError
from sdt.models.config import PRESETS, Architecture, SDTConfig
from sdt.models.objective import Objective, self_distillation
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers
from tests.models.build import LABELS, WIDTHS, random_batch, select, small_model

CLOSE = 1e-5


def spans(lengths: Tensor) -> list[slice]:
    ends = lengths.cumsum(0).tolist()
    return [slice(a, b) for a, b in itertools.pairwise([0, *ends])]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_order_and_neighbours_do_not_matter(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=2, max_size=6))
    missing = data.draw(st.sampled_from([0.0, 0.3, 0.9]))
    options: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {
                "layers": st.integers(1, 2),
                "fusion": st.sampled_from(["gated", "selective", "addition", "concatenation"]),
            }
        )
    )
    order = data.draw(st.permutations(range(len(lengths))))
    kept = order[: data.draw(st.integers(1, len(lengths)))]
    model = small_model(**options)
    batch = random_batch(lengths, missing=missing)
    with torch.no_grad():
        whole, part = model(batch), model(select(batch, kept))
    for head, logits in whole.logits.items():
        expected = torch.cat([logits[spans(batch.lengths)[i]] for i in kept])
        torch.testing.assert_close(part.logits[head], expected, atol=CLOSE, rtol=CLOSE)


def test_other_conversations_have_no_influence_at_all() -> None:
    model = small_model()
    batch = random_batch([4, 3])
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    for x in changed.features.values():
        x[4:] += 100
    with torch.no_grad():
        first, second = model(batch).logits["fused"], model(changed).logits["fused"]
    assert torch.equal(first[:4], second[:4])
    assert not torch.allclose(first[4:], second[4:])


def test_context_has_influence() -> None:
    model = small_model()
    batch = random_batch([4])
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    changed.features["audio"][3] += 1
    with torch.no_grad():
        assert not torch.allclose(model(batch).logits["text"][0], model(changed).logits["text"][0])


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), missing=st.floats(0.1, 1.0), layers=st.integers(1, 2), reliability=st.booleans())
def test_values_of_missing_utterances_are_never_read(seed: int, missing: float, layers: int, reliability: bool) -> None:
    model = small_model(layers=layers, reliability=reliability)
    batch = random_batch([5, 1, 7], missing=missing, seed=seed)
    filled = {
        name: torch.where(batch.present[name][:, None], x, torch.full_like(x, 7.0))
        for name, x in batch.features.items()
    }
    with torch.no_grad():
        expected, found = model(batch), model(dataclasses.replace(batch, features=filled))
    for head in expected.logits:
        assert torch.equal(found.logits[head], expected.logits[head])
        assert found.logits[head].isfinite().all()


def test_missing_modalities_have_no_weight() -> None:
    batch = random_batch([6, 5], missing=0.5, seed=3)
    present = torch.stack([batch.present[name] for name in WIDTHS], dim=1)
    choices: list[dict[str, Any]] = [
        {"fusion": fusion} for fusion in ("gated", "selective", "addition", "concatenation")
    ]
    for options in [*choices, *({**of, "reliability": True} for of in choices[:2])]:
        with torch.no_grad():
            weights = small_model(**options)(batch).weights
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(11, weights.shape[2]))
        some = present.any(dim=1)
        assert (weights[some][~present[some]] == 0).all()
        assert (weights[some][present[some]] > 0).all()


def test_a_missing_utterance_is_no_key() -> None:
    """What others read of an utterance does not change when it goes missing elsewhere in the same modality."""
    model = small_model({"text": 6})
    batch = random_batch([3], {"text": 6})
    batch.present["text"][1] = False
    changed = dataclasses.replace(batch, speaker=torch.tensor([0, 2, 0]))  # who the missing one was
    with torch.no_grad():
        first, second = model(batch).logits["fused"], model(changed).logits["fused"]
    torch.testing.assert_close(first[[0, 2]], second[[0, 2]], atol=CLOSE, rtol=CLOSE)
    assert not torch.allclose(first[1], second[1])


def test_an_utterance_without_any_modality_is_predicted_from_its_context() -> None:
    model = small_model()
    batch = random_batch([5])
    for present in batch.present.values():
        present[2] = False
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    changed.features["text"][1] += 3
    with torch.no_grad():
        first, second = model(batch).logits["fused"], model(changed).logits["fused"]
    assert first.isfinite().all()
    assert not torch.allclose(first[2], second[2])


def test_nothing_present_in_a_whole_conversation() -> None:
    model = small_model().train()
    batch = random_batch([4, 3], missing=1.0)
    output = model(batch)
    self_distillation(output.logits, batch.label, Objective()).total.backward()
    assert all(x.isfinite().all() for x in output.logits.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


SWITCHES: list[dict[str, Any]] = [
    {},
    {"intra_modal": False},
    {"inter_modal": False},
    {"positions": False},
    {"speakers": False},
    {"unimodal_gate": "frozen"},
    {"unimodal_gate": "none"},
    {"fusion": "addition"},
    {"fusion": "concatenation"},
    {"fusion": "selective", "gate_temperature": 0.5},
    {"reliability": True},
    {"fusion": "selective", "reliability": True},
    {"layers": 3},
    {"feed_forward": 24},
    {"unimodal_gate": "none", "fusion": "concatenation", "inter_modal": False, "layers": 2},
]


@pytest.mark.parametrize("options", SWITCHES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_switch_with_any_number_of_modalities_trains_every_parameter(options: dict[str, Any], count: int) -> None:
    if count == 1 and options.get("intra_modal") is False:
        pytest.skip("one modality needs its intra-modal encoder")
    widths = dict(list({**WIDTHS, "gaze": 3}.items())[:count])
    model = small_model(widths, **options).train()
    batch = random_batch([5, 7, 1], widths)
    output = model(batch)
    self_distillation(output.logits, batch.label, Objective()).total.backward()
    assert list(output.logits) == ["fused", *widths]
    assert output.weights.shape == (13, count, 1 if options.get("fusion") == "selective" and count > 1 else 16)
    assert_every_parameter_receives_a_gradient(model)


def assert_every_parameter_receives_a_gradient(model: SDT) -> None:
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} receives no gradient"
        # Attention scores do not depend on a key bias, so that its gradient is zero but for rounding.
        if not name.endswith("attention.key.bias"):
            assert parameter.grad.abs().max() > 0, f"{name} receives a zero gradient"


def test_switches_change_what_is_computed() -> None:
    batch = random_batch([6, 4])
    found = {}
    for options in SWITCHES:
        with torch.no_grad():
            found[str(options)] = small_model(**options)(batch).logits["fused"]
    for (one, x), (other, y) in itertools.combinations(found.items(), 2):
        assert not torch.allclose(x, y), f"{one} computes the same as {other}"


def test_positions_and_speakers_are_what_their_switches_switch() -> None:
    batch = random_batch([6])
    moved = dataclasses.replace(batch, position=batch.position.flip(0))
    renamed = dataclasses.replace(batch, speaker=(batch.speaker + 1) % 2)
    for option, changed in (("positions", moved), ("speakers", renamed)):
        for on in (True, False):
            switch: dict[str, Any] = {option: on}
            model = small_model(**switch)
            with torch.no_grad():
                first, second = model(batch).logits["fused"], model(changed).logits["fused"]
                if option == "positions":
                    second = second if on else second.flip(0).flip(0)
            assert torch.allclose(first, second, atol=CLOSE) is not on


def published(preset: str, widths: dict[str, int], labels: int, speakers: int) -> SDT:
    names = tuple(f"label{number}" for number in range(labels))
    return SDT(SDTConfig(widths, names, Speakers("appearance", speakers), PRESETS[preset]))


@pytest.mark.parametrize(
    ("preset", "widths", "labels", "speakers", "parameters"),
    [
        # The released program's counts, less its 18,432 never used ones and, for MELD, its nine frozen matrices.
        ("iemocap", {"text": 1024, "audio": 1582, "visual": 342}, 6, 2, 79_687_704 - 18_432),
        ("meld", {"text": 1024, "audio": 300, "visual": 342}, 7, 9, 68_949_020 - 18_432),
    ],
)
def test_presets_have_the_published_size_and_train_all_of_it(
    preset: str, widths: dict[str, int], labels: int, speakers: int, parameters: int
) -> None:
    model = published(preset, widths, labels, speakers).train()
    assert sum(p.numel() for p in model.parameters()) == parameters
    batch = random_batch([4, 3], widths)
    self_distillation(model(batch).logits, batch.label, Objective()).total.backward()
    assert_every_parameter_receives_a_gradient(model)


def test_dropout_is_drawn_anew_and_only_in_training() -> None:
    model, batch = small_model(dropout=0.5), random_batch([5])
    with torch.no_grad():
        assert torch.equal(model(batch).logits["fused"], model(batch).logits["fused"])
        model.train()
        assert not torch.equal(model(batch).logits["fused"], model(batch).logits["fused"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "model.heads: 3 heads do not divide model.width 1024"),
        ({"width": 15, "heads": 5}, "model.width: 15 is odd"),
        ({"dropout": 1.0}, r"model.dropout: 1.0 is not in \[0, 1\)"),
        ({"layers": 0}, "model.layers: 0 is less than 1"),
        ({"feed_forward": 0}, "model.feed_forward: 0"),
        ({"fusion": "gatd"}, "model.fusion: 'gatd'; did you mean 'gated'"),
        ({"intra_modal": False, "inter_modal": False}, "model.intra_modal and model.inter_modal"),
    ],
)
def test_contradictions_are_caught(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Architecture(**options)


@pytest.mark.parametrize(
    ("widths", "settings_", "message"),
    [
        ({}, Architecture(), "at least one modality"),
        ({"fused": 3}, Architecture(), "modality name 'fused'"),
        ({"text": 3}, Architecture(intra_modal=False), "model.intra_modal: false, .*'text'"),
    ],
)
def test_configurations_that_cannot_be(widths: dict[str, int], settings_: Architecture, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SDTConfig(widths, LABELS, Speakers("appearance", 2), settings_)


def test_a_modality_name_that_collides_with_torch_is_refused() -> None:
    with pytest.raises(InputError, match="modality name 'keys'"):
        small_model({"keys": 3})
