"""The ONNX file gives PyTorch's numbers for whatever conversations, and needs no PyTorch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import sdt.models.onnx_export as module
from sdt.conversation import Conversation
from sdt.encoders.text import text_encoder
from sdt.errors import InputError, MissingDependencyError
from sdt.models.config import Architecture
from sdt.models.hub import DEFAULT
from sdt.models.onnx_export import TOLERANCE, export_onnx
from sdt.models.saved_graph import input_names, output_names
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline
from tests.prediction.models import TEXT_AUDIO, chat, tiny_model
from tests.shared import ROOT


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(tiny_model(TEXT_AUDIO, temperatures={"fused": 1.7}), path) <= TOLERANCE
    return path


def test_it_agrees_with_the_pipeline(exported: Path) -> None:
    import onnxruntime

    model = tiny_model(TEXT_AUDIO, temperatures={"fused": 1.7})
    said: list[Conversation] = [chat("a", 3), chat("b", 40), chat("c", 1)]
    size = sum(map(len, said))
    session = onnxruntime.InferenceSession(str(exported))
    assert [i.name for i in session.get_inputs()] == input_names(model.config)
    fused, text, audio, weights = session.run(
        output_names(model.config),
        {
            "features_text": text_encoder("words:16").encode([u.text or "" for c in said for u in c.utterances]),
            "features_audio": np.zeros((size, 174), dtype=np.float32),
            "present_text": np.ones(size, dtype=bool),
            "present_audio": np.zeros(size, dtype=bool),
            # Any numbers will do, so long as they differ.
            "conversation": np.repeat([7, 3, 100], [3, 40, 1]),
            "position": np.concatenate([np.arange(3), np.arange(40), [0]]),
            "speaker": np.array([s for c in said for s in model.config.speakers.numbers(c)]),
        },
    )
    found = Pipeline(model)(said)
    wanted = np.array([list(prediction.probabilities.values()) for prediction in found])
    np.testing.assert_allclose(np.exp(fused), wanted, atol=TOLERANCE)
    np.testing.assert_allclose(weights, [[1, np.nan]] * size, atol=1e-6)
    assert np.isnan(audio).all()
    assert np.isfinite(text).all()
    kept = json.loads(session.get_modelmeta().custom_metadata_map["config"])
    assert kept["labels"] == ["neutral", "joy", "anger"]
    assert kept["encoders"] == TEXT_AUDIO


def test_nan_stands_for_what_is_not_there(exported: Path) -> None:
    import onnxruntime

    n = 4
    present = {"text": np.array([True, True, False, False]), "audio": np.array([True, False, True, False])}
    outputs = onnxruntime.InferenceSession(str(exported)).run(
        ["fused", "branch_text", "branch_audio", "weights"],
        {
            "features_text": np.zeros((n, 16), np.float32),
            "features_audio": np.zeros((n, 174), np.float32),
            **{f"present_{name}": of for name, of in present.items()},
            "conversation": np.zeros(n, np.int64),
            "position": np.arange(n),
            "speaker": np.zeros(n, np.int64),
        },
    )
    fused, text, audio, weights = (~np.isnan(of) for of in outputs)
    np.testing.assert_array_equal(fused, np.repeat([[True], [True], [True], [False]], 3, axis=1))
    np.testing.assert_array_equal(weights, np.stack(list(present.values()), axis=1))
    np.testing.assert_array_equal((text[:, 0], audio[:, 0]), weights.T)
    np.testing.assert_allclose(np.nansum(outputs[3], axis=1), [1, 1, 1, 0], atol=1e-6)


@pytest.mark.slow
def test_the_model_in_the_box(tmp_path: Path) -> None:
    """Its width is no power of two, and it was trained; both once made a difference."""
    assert export_onnx(SDT.from_pretrained(DEFAULT), tmp_path / "m.onnx") <= TOLERANCE


@pytest.mark.slow
def test_another_architecture(tmp_path: Path) -> None:
    settings = Architecture(
        16, 2, layers=2, fusion="concatenation", speakers=False, positions=False, context="window(4)"
    )
    model = tiny_model(TEXT_AUDIO, architecture=settings).train()
    assert export_onnx(model, tmp_path / "m.onnx") <= TOLERANCE
    assert model.training


@pytest.mark.slow
@pytest.mark.parametrize("context", ["full", "past"])
def test_head_patterns_and_relative_positions(tmp_path: Path, context: str) -> None:
    settings = Architecture(
        16,
        4,
        context=context,
        head_patterns="own(1),near(2),others,all",
        relative_positions=True,
        speakers=False,
        reliability=True,
    )
    model = tiny_model(TEXT_AUDIO, architecture=settings)
    for name, parameter in model.named_parameters():
        if "relative" in name:
            torch.nn.init.normal_(parameter)
    assert export_onnx(model, tmp_path / "m.onnx") <= TOLERANCE


def test_the_example_of_the_documentation_needs_no_torch(exported: Path) -> None:
    text = (ROOT / "docs" / "prediction.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import json\n.*?onnxruntime.*?)```", text, re.DOTALL)
    assert len(code.strip().splitlines()) <= 15
    blocked = "import sys\nsys.modules['torch'] = sys.modules['sdt'] = None\n"
    result = subprocess.run(
        [sys.executable, "-c", blocked + code], cwd=exported.parent, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"((neutral|joy|anger) \d+%\n){3}", result.stdout)


def test_a_file_that_differs_is_not_written(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Another:
        """The graph of a model with other parameters."""

        def save(self, path: str) -> None:
            shutil.copy(exported, path)

    monkeypatch.setattr(module, "_graph", lambda _: Another())
    assert export_onnx(tiny_model(TEXT_AUDIO, temperatures={"fused": 1.7}), tmp_path / "same.onnx") <= TOLERANCE
    with pytest.raises(InputError, match=r"m\.onnx: not written: .* by up to 0\.\d+"):
        export_onnx(tiny_model(TEXT_AUDIO), tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["same.onnx"]


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[onnx\]"):
        export_onnx(tiny_model(), tmp_path / "m.onnx")
