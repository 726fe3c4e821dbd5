"""Weights in int8: a quarter of the size, and the same numbers on PyTorch and in graphs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdt.encoders.int8_weights import SCALE, is_int8, quantise, restore
from sdt.encoders.text import text_encoder
from sdt.encoders.text_export import export_text_encoder
from sdt.encoders.text_model import find_text_model
from sdt.errors import InputError

TEXTS = ["I am so glad!", "WHY? Oh no.", "My flight was cancelled, and nobody told us. " * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM in int8."""
    folder = tmp_path_factory.mktemp("int8") / "encoder"
    model = find_text_model("minilm")
    shutil.copytree(model.folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
    _, encoder = model.load()
    save_file(quantise(encoder.state_dict()), folder / "model.safetensors")
    return folder


def test_quantise() -> None:
    matrix = torch.tensor([[0.5, -1.0, 0.254], [0.0, 0.0, 0.0], [1e-9, 2e-9, 0.0]])
    stored = quantise({"w": matrix, "b": torch.tensor([0.1, 0.2]).half()})
    assert stored["w"].dtype == torch.int8
    assert stored["w"].tolist() == [[64, -127, 32], [0, 0, 0], [64, 127, 0]]
    assert stored["b"].dtype == torch.float32
    found = restore(stored)
    assert list(found) == ["w", "b"]
    half_a_step = matrix.abs().amax(dim=1, keepdim=True) / 254
    assert ((found["w"] - matrix).abs() <= 1.01 * half_a_step).all()


def test_the_features_are_nearly_those_of_float32(folder: Path) -> None:
    assert is_int8(folder)
    assert not is_int8(find_text_model("minilm").folder)
    size = (folder / "model.safetensors").stat().st_size
    assert size < 0.27 * (find_text_model("minilm").folder / "model.safetensors").stat().st_size
    exact, found = (text_encoder(name).encode(TEXTS) for name in ("minilm", f"{folder}:mean"))
    cosine = (exact * found).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(found, axis=1)
    assert cosine.min() > 0.98


def test_the_graph_computes_the_same(folder: Path, tmp_path: Path) -> None:
    for pooling in ("mean", "layers"):
        name, graph = f"{folder}:{pooling}", tmp_path / f"{pooling}.onnx"
        assert export_text_encoder(name, tmp_path, graph) < 1e-4
        assert graph.stat().st_size < 1_500_000  # the weights are those of the folder
        np.testing.assert_allclose(
            text_encoder(name, graph=graph).encode(TEXTS), text_encoder(name).encode(TEXTS), atol=1e-4
        )


def test_damaged_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "encoder"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in tensors if name.endswith(SCALE))
    save_file({key: value for key, value in tensors.items() if key != name}, copy / "model.safetensors")
    with pytest.raises(InputError, match="no Hugging Face model"):
        text_encoder(str(copy)).encode(TEXTS)
