"""The ONNX graph of SDT in a model folder: its names, and whether it belongs to the other files of the folder.

See `sdt.models.onnx_export` for its inputs and outputs, and `sdt.graphs` for its weights.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sdt.files import sha256
from sdt.graphs import layout_digest
from sdt.models.config import FUSED, Architecture, ModelConfig

SDT_GRAPH = "sdt.onnx"
"""The graph of the model in its folder."""
WEIGHTS = "model.safetensors"
"""The weights of the model in its folder."""


def saved_digest(folder: Path) -> str:
    """Identifies the configuration of a saved model and the places of its weights.

    Raises:
        InputError: The weights are damaged or missing.
    """
    both = f"{sha256(folder / 'config.json')} {layout_digest(folder, [WEIGHTS])}"
    return hashlib.sha256(both.encode()).hexdigest()


def graph_of_encoder(folder: Path, modality: str) -> Path | None:
    """The file of the graph of the text encoder of a modality; None if its name is not that of a file."""
    if modality.replace("_", "").replace("-", "").isalnum() and f"{modality}.onnx" != SDT_GRAPH:
        return folder / f"{modality}.onnx"
    return None


def input_names(config: ModelConfig) -> list[str]:
    """The names of the inputs of the file, in order."""
    features = [f"features_{name}" for name in config.modalities]
    others = ["conversation", "position", "speaker", *(["participant"] if needs_participants(config) else [])]
    return [*features, *(f"present_{name}" for name in config.modalities), *others]


def needs_participants(config: ModelConfig) -> bool:
    """Whether the graph has the input `participant`."""
    return isinstance(config.architecture, Architecture) and config.architecture.attention_context.related


def output_names(config: ModelConfig) -> list[str]:
    """The names of the outputs of the file, in order."""
    return [FUSED, *(f"branch_{name}" for name in config.modalities), "weights"]
