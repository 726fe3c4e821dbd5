"""Weights of a text encoder in int8: a quarter of the size, for encoders that travel with a model.

A matrix W is stored as whole numbers from -127 to 127, and `NAME.scale` has a factor for each row: W[i] is scale[i]
Q[i]. Vectors stay in float32. PyTorch and ONNX graphs compute with the same restored float32 numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.graphs import stored_tensors

if TYPE_CHECKING:
    from torch import Tensor

SCALE = ".scale"
_HIGHEST = 127


def quantise(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to store for the weights of a model."""
    import torch

    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = tensor.detach().float().cpu()
        if value.ndim != 2:
            found[name] = value.contiguous()
            continue
        scale = value.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / _HIGHEST  # [rows]
        found[name] = torch.round(value / scale[:, None]).clamp(-_HIGHEST, _HIGHEST).to(torch.int8).contiguous()
        found[name + SCALE] = scale
    return found


def restore(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of stored tensors, in float32.

    Raises:
        KeyError: A scale is missing.
    """
    return {
        name: tensor if tensor.is_floating_point() else tensor.float() * tensors[name + SCALE][:, None]
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }


def is_int8(folder: Path) -> bool:
    """Whether the weights of a folder are stored in int8."""
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    return any(of.dtype == "I8" for of in stored_tensors(folder, files).values())


def load_int8(folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    """Load a Hugging Face model whose weights are stored in int8.

    Raises:
        Exception: Damaged files make the loader raise any error.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    make: Any = AutoModel.from_config
    model = make(AutoConfig.from_pretrained(folder, local_files_only=True))
    stored = {name: of for path in sorted(folder.glob("*.safetensors")) for name, of in load_file(path).items()}
    missing, unexpected = model.load_state_dict(restore(stored), strict=False)
    wrong = [*(name for name in missing if not name.startswith("pooler.")), *unexpected]
    if wrong:
        raise ValueError(f"weights do not fit the configuration: {wrong[0]}")
    return model
