"""The device and the precision of a model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from sdt.errors import InputError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]

DEVICES: tuple[DeviceName, ...] = ("auto", "cpu", "cuda")


def choose_device(name: DeviceName) -> torch.device:
    """Select a device; `auto` selects CUDA if it is available.

    Raises:
        InputError: `cuda` is requested, but PyTorch finds no CUDA device.
    """
    import torch

    if name == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if name == "cuda":
        raise InputError("device 'cuda': PyTorch finds no CUDA device here; use 'cpu' or 'auto'")
    return torch.device("cpu")


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """The context of a forward pass and its loss.

    Args:
        device: The device of the model.
        precision: `float32` casts nothing. `bfloat16` computes matrix products in bfloat16. `auto` uses bfloat16 on
            CUDA devices of compute capability 8.0 or higher, where it is faster; on CPUs it is slower.
    """
    import torch

    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bfloat16" if fast else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
