"""Export of a text encoder to ONNX, checked against PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdt.encoders.text import PiecewiseEncoder
from sdt.encoders.text_graph import Adapter, UnsupportedGraphError, text_graph
from sdt.encoders.text_model import ADAPTER_SETTINGS, ADAPTER_WEIGHTS, TextModel, find_text_model
from sdt.encoders.text_onnx import GraphTextRunner, weight_files, weights_digest, weights_folder
from sdt.encoders.text_torch import TorchTextRunner
from sdt.files import atomic_file
from sdt.graphs import set_metadata, stored_tensors

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-4
"""The largest accepted difference between a feature of the graph and of PyTorch."""
CHECKED = (
    "Oh my God!",
    "?!",
    "I'm not sad, I'm FURIOUS \N{POUTING FACE} \N{EM DASH} caf\N{LATIN SMALL LETTER E WITH ACUTE}.",
    "Well, you know how it is. " * 12,
    "So first I went to the store and bought bread and milk, and then I called the office. " * 40,
)
"""The texts with which a graph is checked, alone and in one batch; the last one is encoded in pieces."""


def export_text_encoder(name: str, base: Path, path: Path) -> float:
    """Write the graph of a text encoder, atomically, and check its features against PyTorch.

    Args:
        name: The name of the encoder.
        base: The folder of the model which records the name.
        path: The file of the graph.

    Returns:
        The largest difference between features of the graph and of PyTorch.

    Raises:
        UnsupportedGraphError: The encoder cannot be written as a graph, or its features differ.
        InputError: The encoder cannot be loaded.
        MissingDependencyError: A package is missing.
    """
    text_model = find_text_model(name, base)
    reference = TorchTextRunner(text_model)
    tokenizer = getattr(reference.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise UnsupportedGraphError("its tokenizer is not one of the library tokenizers")
    with atomic_file(path) as temporary:
        graph = _graph(text_model, temporary)
        about: dict[str, Any] = {
            "encoder": text_model.name,
            "layout": weights_digest(text_model),
            "tokenizer": tokenizer.to_str(),
            "pad": reference.tokenizer.pad_token_id,
            "vectors": reference.shape[0],
            "size": reference.shape[1],
            "positions": reference.positions,
        }
        set_metadata(graph, about)
        temporary.write_bytes(graph.SerializeToString())
        difference = _difference(
            PiecewiseEncoder(text_model, reference),
            PiecewiseEncoder(text_model, GraphTextRunner(temporary, text_model)),
        )
        if not difference <= TOLERANCE:
            raise UnsupportedGraphError(f"its features differ from PyTorch by up to {difference:.2g}")
    return difference


def _graph(text_model: TextModel, path: Path) -> onnx.ModelProto:
    files = weight_files(text_model)
    if not files:
        raise UnsupportedGraphError("its weights are not safetensors")
    if weights_folder(path, text_model) is None:
        inside = text_model.folder.relative_to(path.parent)
        tensors = stored_tensors(path.parent, [str(inside / file) for file in files])
    else:
        tensors = stored_tensors(text_model.folder, files)
    config = json.loads((text_model.folder / "config.json").read_text(encoding="utf-8"))
    return text_graph(config, tensors, text_model.pooling, _adapter(text_model))


def _adapter(text_model: TextModel) -> Adapter | None:
    if text_model.adapter is None:
        return None
    from safetensors.numpy import load_file

    settings = json.loads((text_model.adapter / ADAPTER_SETTINGS).read_text(encoding="utf-8"))
    tensors, scale = load_file(text_model.adapter / ADAPTER_WEIGHTS), settings["lora_alpha"] / settings["r"]
    return {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.weight"): (
            first.astype(np.float32),
            (scale * tensors[name.replace(".lora_A.", ".lora_B.")]).astype(np.float32),
        )
        for name, first in tensors.items()
        if name.endswith(".lora_A.weight")
    }


def _difference(one: PiecewiseEncoder, other: PiecewiseEncoder) -> float:
    batches = [*([text] for text in CHECKED), list(CHECKED)]
    return max(float(np.abs(one.encode(texts) - other.encode(texts)).max()) for texts in batches)
