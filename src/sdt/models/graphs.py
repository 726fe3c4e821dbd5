"""The ONNX graphs of a model folder: `sdt.onnx`, and a graph for each text encoder, such as `text.onnx`.

`sdt predict`, `sdt watch` and `sdt serve` run on them without PyTorch.
"""

from __future__ import annotations

from pathlib import Path

from sdt.encoders.text_export import export_text_encoder
from sdt.encoders.text_graph import UnsupportedGraphError
from sdt.encoders.text_model import is_text_model_name
from sdt.errors import InputError
from sdt.models.base import Model
from sdt.models.onnx_export import export_onnx
from sdt.models.registry import SDT_NAME, label_of
from sdt.models.saved_graph import SDT_GRAPH, graph_of_encoder


def write_graphs(model: Model, folder: Path) -> list[str]:
    """Write the graphs of a saved model into its folder; each is checked against PyTorch.

    Args:
        model: The model.
        folder: Its folder.

    Returns:
        Why graphs are missing, one line each. Such a model runs on PyTorch.
    """
    if label_of(type(model)) != SDT_NAME:
        return []
    try:
        export_onnx(model, folder / SDT_GRAPH, folder)
    except InputError as error:
        return [f"no ONNX graphs, so predictions need PyTorch: {error}"]
    notes = []
    for modality, name in model.config.encoders.items():
        encoder, path = name.partition("|")[0], graph_of_encoder(folder, modality)
        if path is None or not is_text_model_name(encoder, folder):
            continue
        try:
            export_text_encoder(encoder, folder, path)
        except (UnsupportedGraphError, InputError) as error:
            notes.append(f"{modality}: no ONNX graph of the encoder {encoder!r}, so it needs PyTorch: {error}")
    return notes
