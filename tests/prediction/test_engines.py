"""Both engines give the same predictions of a saved model, for any conversations, windows and streams."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sdt.prediction.onnx_engine as module
from sdt.conversation import Prediction
from sdt.errors import InputError, MissingDependencyError
from sdt.models.hub import DEFAULT
from sdt.models.onnx_export import TOLERANCE, export_onnx
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline, StreamingPredictor
from sdt.prediction.engine import load_engine
from sdt.prediction.onnx_engine import OnnxEngine
from sdt.prediction.torch_engine import TorchEngine
from sdt.speakers import Speakers
from tests.prediction.models import chat, tiny_model
from tests.prediction.test_streaming import built, given_rows, random_rows, random_talk

KINDS: dict[str, tuple[Speakers, dict[str, Any]]] = {
    "full": (Speakers("appearance", 2), {}),
    "window(4)": (
        Speakers("identity", 2, ("Ann", "Cy")),
        {"layers": 2, "head_patterns": "own(1),others", "relative_positions": True, "speakers": False},
    ),
    "past": (Speakers("appearance", 3), {"unimodal_gate": "none", "fusion": "concatenation", "positions": False}),
}
"""Context to speakers and settings."""


@dataclass
class Saved:
    """A saved model and its two engines."""

    model: SDT
    folder: Path
    torch: TorchEngine
    onnx: OnnxEngine


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Saved]:
    found = {}
    for context, (speakers, options) in KINDS.items():
        model = built(("text", "audio"), context, speakers, {"fused": 1.7, "text": 0.6}, **options)
        for name, parameter in model.named_parameters():
            if "relative" in name:
                torch.nn.init.normal_(parameter)
        folder = tmp_path_factory.mktemp("model")
        model.save_pretrained(folder)
        assert export_onnx(model, folder / "sdt.onnx", folder) <= TOLERANCE
        graph = onnx.load(folder / "sdt.onnx", load_external_data=False).graph
        outside = {of.name for of in graph.initializer if of.data_location == onnx.TensorProto.EXTERNAL}
        assert outside >= {f"model.{name}" for name in model.state_dict()}
        engine = load_engine(folder)
        assert isinstance(engine, OnnxEngine)
        found[context] = Saved(model, folder, TorchEngine(model, "cpu"), engine)
    return found


def near(found: list[Prediction], expected: list[Prediction]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.conversation, one.utterance, one.emotion is None) == (
            other.conversation,
            other.utterance,
            other.emotion is None,
        )
        assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)
        assert dict(one.weights) == pytest.approx(dict(other.weights), abs=TOLERANCE)
        assert one.branches.keys() == other.branches.keys()
        for name, branch in one.branches.items():
            assert branch == pytest.approx(other.branches[name], abs=TOLERANCE)


@pytest.mark.parametrize("context", KINDS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_conversations(saved: dict[str, Saved], context: str, data: st.DataObject) -> None:
    one = saved[context]
    lengths = data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=5))
    missing = data.draw(st.sampled_from([0.0, 0.4, 0.9]))
    window = data.draw(st.sampled_from([None, 1, 8, 20]))
    talks = [random_talk(f"c{n}", length, n) for n, length in enumerate(lengths)]
    rows = random_rows(one.model.config, sum(lengths), missing, seed=sum(lengths))
    found, expected = (Pipeline(engine, window=window).from_features(talks, rows) for engine in (one.onnx, one.torch))
    near(found, expected)


@pytest.mark.parametrize("context", KINDS)
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.sampled_from([0.0, 0.5]))
def test_streams(saved: dict[str, Saved], context: str, length: int, missing: float) -> None:
    """A causal model predicts the same as for the whole conversation; any other, the same as on PyTorch."""
    one = saved[context]
    talk, rows = random_talk("c", length, length), random_rows(one.model.config, length, missing, length)
    both = []
    for engine in (one.onnx, one.torch):
        stream = StreamingPredictor(engine, history=4)
        assert stream.causal == (context != "full")
        both.append([stream.add(said, "c", features=given_rows(rows, i)) for i, said in enumerate(talk.utterances)])
    near(*both)
    if context != "full":
        near(both[0], Pipeline(one.torch).from_features([talk], rows))


def test_a_stream_keeps_no_more_than_its_window(saved: dict[str, Saved]) -> None:
    one = saved["window(4)"]
    stream, rows = StreamingPredictor(one.onnx), random_rows(one.model.config, 30, 0.0, 0)
    for i, said in enumerate(random_talk("c", 30, 0).utterances):
        stream.add(said, "c", features=given_rows(rows, i))
    assert len(stream._memories["c"]) == 2 * 3 + 1  # of two layers


def test_the_longest_conversations_run_on_pytorch(saved: dict[str, Saved], monkeypatch: pytest.MonkeyPatch) -> None:
    one = saved["full"]
    talks, rows = [random_talk("a", 3, 0), random_talk("b", 12, 1)], random_rows(one.model.config, 15, 0.2, 0)
    expected = Pipeline(one.torch).from_features(talks, rows)
    monkeypatch.setattr(module, "LONGEST", 10)
    both, alone = (Pipeline(load_engine(one.folder, "onnxruntime")) for _ in range(2))
    near(both.from_features(talks, rows), expected)
    monkeypatch.setitem(sys.modules, "sdt.prediction.torch_engine", None)
    with pytest.raises(InputError, match=r"--window 512.*sdt-erc\[train\]"):
        alone.from_features(talks, rows)


def test_another_configuration_has_no_graph(saved: dict[str, Saved], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in saved["full"].folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert isinstance(load_engine(folder), OnnxEngine)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values["temperatures"] = {"fused": 3.0}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    assert isinstance(load_engine(folder), TorchEngine)
    with pytest.raises(InputError, match="no ONNX graphs"):
        load_engine(folder, "onnxruntime")
    (folder / "sdt.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"sdt\.onnx: damaged"):
        load_engine(folder)
    assert isinstance(load_engine(folder, "torch"), TorchEngine)


def test_an_engine_that_cannot_be_had(saved: dict[str, Saved], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="onnxruntime runs on the processor"):
        load_engine(saved["full"].folder, "onnxruntime", "cuda")
    tiny_model().save_pretrained(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("sdt.prediction.torch_engine")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[train\]"):
        load_engine(tmp_path / "model")
    assert isinstance(load_engine(saved["full"].folder), OnnxEngine)


@pytest.mark.slow
def test_the_bundled_model(tmp_path: Path) -> None:
    talks = [chat("a", 5), chat("b", 1)]
    found, expected = (list(Pipeline.from_pretrained(DEFAULT, engine=name)(talks)) for name in ("onnxruntime", "torch"))
    near(found, expected)
    assert [one.emotion for one in found] == [one.emotion for one in expected]
