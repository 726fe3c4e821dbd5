"""What every baseline keeps, with every setting that changes its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sdt.errors import InputError
from sdt.models.base import Model
from sdt.models.registry import MODELS, find
from tests.models.baselines import contract
from tests.models.build import WIDTHS, random_batch

SMALL: dict[str, dict[str, Any]] = {
    "sdt": {"width": 16, "heads": 2},
    "utterance": {"width": 8},
    "bc_lstm": {"width": 12, "dense": 7},
    "dialogue_rnn": {"global_state": 7, "party_state": 6, "emotion_state": 5, "hidden": 8},
    "dialogue_gcn": {"width": 12, "graph": 7, "past": 2, "future": 3},
    "mmgcn": {"width": 12, "graph": 16},
    "mm_dfn": {"width": 12, "graph": 16, "layers": 3},
    "early_fusion": {"width": 16, "heads": 2},
}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SMALL),
    ("utterance", {"layers": 3}),
    ("bc_lstm", {"fusion": "concatenation"}),
    ("bc_lstm", {"end_to_end": True}),
    ("dialogue_rnn", {"listener": True}),
    ("dialogue_rnn", {"attention": False}),
    ("dialogue_gcn", {"bases": 2}),
    ("dialogue_gcn", {"past": None, "future": None}),
    ("dialogue_gcn", {"past": 0, "future": 1, "context_layers": 1}),
    ("mmgcn", {"context": "all"}),
    ("mmgcn", {"context": "none", "gamma": 0.3}),
    ("mmgcn", {"speakers": False}),
    ("mm_dfn", {"context": "all", "context_layers": 1}),
    ("mm_dfn", {"speaker_weight": 0.0}),
    ("early_fusion", {"positions": False, "speakers": False, "layers": 1}),
    ("early_fusion", {"feed_forward": 24}),
]
IDS = [f"{name} {options}" if options else name for name, options in VARIANTS]
# Attention scores do not depend on the keys' bias.
ZERO = ("attention.key.bias",)


def model_of(name: str, options: dict[str, Any], widths: dict[str, int] = WIDTHS) -> Model:
    return contract.build(find(name), {**SMALL[name], **options}, widths)


def test_every_model_is_tested() -> None:
    assert set(SMALL) == set(MODELS)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_conversations_do_not_see_each_other(name: str, options: dict[str, Any]) -> None:
    model = model_of(name, options)
    contract.packed_equals_one_at_a_time(model)
    contract.neighbours_have_no_influence_at_all(model)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_missing_values_are_never_read(name: str, options: dict[str, Any]) -> None:
    model = model_of(name, options)
    contract.missing_values_are_never_read(model)
    contract.gradients_are_finite_where_all_is_missing(model)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_every_parameter_receives_a_gradient(name: str, options: dict[str, Any], count: int) -> None:
    widths = dict(list({**WIDTHS, "gaze": 3}.items())[:count])
    contract.every_parameter_receives_a_gradient(model_of(name, options, widths), zero=ZERO)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_training_is_repeatable(name: str, options: dict[str, Any]) -> None:
    contract.same_seed_same_training(find(name), {**SMALL[name], **options})


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
def test_lower_precision(name: str, options: dict[str, Any]) -> None:
    contract.lower_precision_is_close(model_of(name, options))


@pytest.mark.parametrize(
    ("name", "options", "context", "speakers"),
    [
        ("utterance", {}, False, False),
        ("bc_lstm", {}, True, False),
        ("dialogue_rnn", {}, True, True),
        ("dialogue_gcn", {"past": None, "future": None}, True, True),
        ("mmgcn", {}, True, True),
        ("mmgcn", {"speakers": False}, True, False),
        ("mm_dfn", {}, True, True),
        ("mm_dfn", {"speaker_weight": 0.0}, True, False),
        ("early_fusion", {}, True, True),
        ("early_fusion", {"speakers": False}, True, False),
    ],
)
def test_what_a_model_looks_at(name: str, options: dict[str, Any], context: bool, speakers: bool) -> None:
    contract.looks_at(model_of(name, options), context=context, speakers=speakers)


def test_settings_change_what_is_computed() -> None:
    batch = random_batch([6, 4], missing=0.2)
    for name in SMALL:
        variants = {IDS[i]: model_of(*of) for i, of in enumerate(VARIANTS) if of[0] == name}
        variants.pop("bc_lstm {'end_to_end': True}", None)  # that changes the gradient alone
        contract.distinct({id_: contract.logits(model, batch)["fused"] for id_, model in variants.items()})


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded_it_is_the_same(name: str, tmp_path: Path) -> None:
    model, batch = model_of(name, {}), random_batch([4, 2])
    model.save_pretrained(tmp_path / "model", "# A card\n")
    again = Model.from_pretrained(tmp_path / "model")
    assert type(again) is type(model)
    assert again.config == model.config
    for head, expected in contract.logits(model, batch).items():
        assert torch.equal(contract.logits(again, batch)[head], expected)
    other = find("utterance" if name != "utterance" else "sdt")
    with pytest.raises(InputError, match="; expected "):
        other.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("utterance", {"width": 0}, "utterance.width: 0 is less than 1"),
        ("utterance", {"dropout": 1.0}, r"utterance.dropout: 1.0 is not in \[0, 1\)"),
        ("bc_lstm", {"width": 5}, "bc_lstm.width: 5 is odd"),
        ("bc_lstm", {"fusion": "hierarchicl"}, "did you mean 'hierarchical'"),
        ("dialogue_rnn", {"state_dropout": -0.1}, "dialogue_rnn.state_dropout"),
        ("dialogue_gcn", {"past": -1}, "dialogue_gcn.past: -1 is less than 0"),
        ("dialogue_gcn", {"width": 3}, "dialogue_gcn.width: 3 is odd"),
        ("mmgcn", {"context": "frist"}, "did you mean 'first'"),
        ("mmgcn", {"gamma": 0.0}, "mmgcn.gamma: 0.0 is not a number above 0"),
        ("mm_dfn", {"layers": 0}, "mm_dfn.layers: 0 is less than 1"),
        ("mm_dfn", {"speaker_weight": -1.0}, "mm_dfn.speaker_weight: -1.0"),
        ("early_fusion", {"heads": 3}, "3 heads do not divide early_fusion.width 256"),
        ("early_fusion", {"feed_forward": 0}, "early_fusion.feed_forward: 0"),
        ("early_fusion", {"width": 9, "heads": 3}, "early_fusion.width: 9 is odd"),
    ],
)
def test_settings_that_cannot_be(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find(name).settings(**options)
