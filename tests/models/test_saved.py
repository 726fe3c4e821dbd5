"""Saved models: there and back, and what is refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.models.sdt.model import SDT
from tests.models.build import random_batch, small_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_model().save_pretrained(tmp_path / "model", card="# A model\n")
    return tmp_path / "model"


@pytest.mark.slow
def test_there_and_back(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    model, again = small_model(), SDT.from_pretrained(folder)
    assert again.config == model.config
    assert not again.training
    batch = random_batch([4, 2])
    with torch.no_grad():
        assert torch.equal(again(batch).logits["fused"], model(batch).logits["fused"])


def test_a_model_saved_before_there_were_temperatures_and_contexts(folder: Path) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text())
    del values["normalisation"], values["temperatures"], values["architecture"]["context"]
    path.write_text(json.dumps(values))
    assert SDT.from_pretrained(folder).config == small_model().config
    assert SDT.from_pretrained(folder).config.temperature == 1
    assert not SDT.from_pretrained(folder).context.causal


def test_statistics_and_temperatures_travel(tmp_path: Path) -> None:
    model = small_model()
    statistics = {"audio": {"mean": [0.1, 1 / 3, 0.0, -2.0, 5.0], "deviation": [1.0, 2.0, 0.0, 4.0, 5.0]}}
    model.config = replace(model.config, normalisation=statistics, temperatures={"fused": 1.7, "text": 0.5})
    model.save_pretrained(tmp_path / "model")
    assert SDT.from_pretrained(tmp_path / "model").config == model.config


def test_the_model_of_a_run_folder(folder: Path) -> None:
    assert SDT.from_pretrained(folder.parent).config == SDT.from_pretrained(folder).config


def test_saving_again_replaces(folder: Path) -> None:
    small_model(seed=1).save_pretrained(folder)
    again = SDT.from_pretrained(folder)
    assert torch.equal(again.classifier.weight, small_model(seed=1).classifier.weight)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a model folder"):
        SDT.from_pretrained(tmp_path / "absent")
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(InputError, match="not finished"):
        SDT.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"modalities": {"text": 5, "audio": 5, "visual": 4}}, "cannot be loaded"),
        ({"modalities": {"text": 7, "audio": 5, "visual": 4}}, "20,412 parameters"),
        ({"modalities": {}}, "at least one modality"),
        ({"architecture": {"width": 16, "heads": 2, "fusion": "gatd"}}, "did you mean 'gated'"),
        ({"architecture": {"widht": 16}}, "damaged"),
        ({"labels": 3}, "damaged"),
        ({"temperatures": {"fused": 0}}, "temperatures: 'fused' is 0"),
        ({"temperatures": {"smell": 2}}, "temperatures: .*'smell'"),
        ({"temperatures": {"fused": "hot"}}, "damaged"),
        ({"normalisation": {"text": {"mean": [0], "deviation": [1]}}}, "normalisation: .*'text'"),
        ({"normalisation": {"text": 3}}, "damaged"),
    ],
)
def test_a_changed_configuration_is_refused_in_one_line(folder: Path, change: dict[str, object], message: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message) as error:
        SDT.from_pretrained(folder)
    assert "\n" not in str(error.value)


SETTINGS = {"width": 16, "heads": 2, "dropout": 0.1}
HOSTILE: list[dict[str, object]] = [
    {"architecture": {**SETTINGS, "layers": 10**9}},
    {"architecture": {**SETTINGS, "width": 10**9}},
    {"architecture": {**SETTINGS, "width": 10**30}},
    {"architecture": {**SETTINGS, "width": 200_000, "heads": 200_000}},
    {"architecture": {**SETTINGS, "feed_forward": 2**31 - 2}},
    {"architecture": {**SETTINGS, "width": 16.0}},
    {"architecture": {**SETTINGS, "dropout": float("nan")}},
    {"architecture": {**SETTINGS, "intra_modal": "no"}},
    {"modalities": {"text": 10**9, "audio": 5, "visual": 4}},
    {"modalities": {f"m{number}": 5 for number in range(2_000)}},
    {"speakers": {"mode": "appearance", "count": 2**31 - 1, "names": []}},
    {"speakers": {"mode": "identity", "count": 3, "names": [1, 2, 3]}},
    {"speakers": {"mode": "appearance", "count": -1, "names": []}},
    {"labels": [1, 2, 3]},
    {"labels": ["a", "a", "b"]},
    {"labels": ["\ud800", "a", "b"]},
    {"labels": [str(number) for number in range(100_000)]},
    {"normalisation": {"text": {"mean": [float("nan")] * 6, "deviation": [1] * 6}}},
    {"normalisation": {"text": {"mean": [1] * 6, "deviation": [10**400] * 6}}},
    {"temperatures": {"fused": float("inf")}},
    {"encoders": {"text": 5}},
    {"model": "bc_lstm", "architecture": {"width": 10**9}},
    {"model": "dialogue_gcn", "architecture": {"context_layers": 10**9}},
    {"model": "dialogue_rnn", "architecture": {"party_state": 10**6}},
    {"model": "early_fusion", "architecture": {"layers": 10**9}},
    {"model": "mm_dfn", "architecture": {"layers": 10**9}},
    {"model": "mmgcn", "architecture": {"context_layers": 10**9}},
    {"model": "utterance", "architecture": {"layers": 10**9}},
    {"model": "x" * 10**5},
    {"format": 10**4000},
]


@pytest.mark.parametrize("change", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_configuration_is_refused_at_once(folder: Path, change: dict[str, object]) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as error:
        SDT.from_pretrained(folder)
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format":' * 50_000, '{"format": ' + "9" * 10_000 + "}", "null", ""])
def test_a_configuration_that_is_no_dictionary_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError):
        SDT.from_pretrained(folder)


@pytest.mark.parametrize(
    "header",
    [
        b'{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}',
        b'{"x":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}}',
        b'{"x":' * 100_000,
        b"[]",
    ],
)
def test_weights_with_a_false_header_are_refused(folder: Path, header: bytes) -> None:
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError):
        SDT.from_pretrained(folder)


def test_parameters_that_are_not_finite_are_refused(folder: Path) -> None:
    model = small_model()
    with torch.no_grad():
        model.classifier.weight[0, 0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(InputError, match=r"classifier\.weight"):
        SDT.from_pretrained(folder)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_never_give_another_error(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(["config.json", "model.safetensors"]))
    good = path.read_bytes()
    try:
        cut = data.draw(st.integers(0, len(good.rstrip()) - 1))  # JSON without its last line break is whole
        path.write_bytes(good[:cut])
        with pytest.raises(InputError):
            SDT.from_pretrained(folder)
        flipped = bytearray(good)
        flipped[data.draw(st.integers(0, min(len(good), 400) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(flipped))
        with contextlib.suppress(InputError):  # a changed parameter is still a parameter
            SDT.from_pretrained(folder)
    finally:
        path.write_bytes(good)
