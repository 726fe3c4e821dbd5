"""The command export onnx, as it is typed; the file itself is tested in tests/prediction."""

from __future__ import annotations

from pathlib import Path

import pytest

import sdt.models.onnx_export as onnx_module
from sdt.__main__ import main
from sdt.models.sdt.model import SDT
from tests.prediction.models import tiny_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_export(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def write(of: SDT, path: Path, precision: str) -> float:
        assert of.config.encoders == {"text": "words:16"}
        assert precision == "float32"
        path.write_bytes(bytes(2**20))
        return 3e-7

    monkeypatch.setattr(onnx_module, "export_onnx", write)
    file = model.parent / "m.onnx"
    assert main(["export", "onnx", str(model), "--output", str(file)]) == 0
    assert capsys.readouterr().out == f"written to {file}: 1.0 MiB, maximum difference from PyTorch 3e-07\n"


def test_refusals(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ([tmp_path / "absent", "--output", tmp_path / "m.onnx"], "neither a model folder"),
        ([model, "--output", tmp_path], "is a folder; name a file"),
        ([model, "--precision", "int8"], "name a file with --output"),
    ):
        assert main(["export", "onnx", *map(str, arguments)]) == 2
        assert message in capsys.readouterr().err
