"""The device and the precision of a model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from sdt.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]

WIDE = 256
"""Rows and columns of a matrix from which bfloat16 is faster; casts cost more than they save at a width of 128."""
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


def autocast(device: torch.device, precision: Precision, model: nn.Module) -> contextlib.AbstractContextManager[object]:
    """The context of a forward pass and its loss.

    Args:
        device: The device of the model.
        precision: `float32` casts nothing. `bfloat16` computes matrix products in bfloat16. `auto` uses bfloat16 where
            `bfloat16_is_fast`.
        model: The model.
    """
    import torch

    if precision == "auto":
        precision = "bfloat16" if bfloat16_is_fast(device, model) else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def precision_note(device: torch.device, precision: Precision) -> str:
    """Why a precision is a bad choice on a device; empty if it is not.

    A processor without instructions for bfloat16 emulates them: with AVX2 alone, products of matrices take forty times
    as long as in float32.
    """
    processor = _processor()
    if device.type != "cpu" or precision != "bfloat16" or "avx512_bf16" not in processor:
        return ""
    if processor["avx512_bf16"] or processor.get("amx_bf16"):
        return ""
    return "this processor has no instructions for bfloat16; float32 is many times as fast"


def bfloat16_is_fast(device: torch.device, model: nn.Module) -> bool:
    """Whether matrix products of a model are computed in bfloat16 if the user does not say.

    On CUDA devices of compute capability 8.0 or higher. On CPUs, where the processor has matrix instructions for it
    (AMX), and the model has a matrix of at least `WIDE` rows and columns.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if not _processor().get("amx_bf16", False):
        return False
    return any(p.ndim == 2 and min(p.shape) >= WIDE for p in model.parameters())


def _processor() -> dict[str, object]:
    """The capabilities of the processor by name; empty for versions of PyTorch without this function."""
    import torch

    return dict(getattr(torch.cpu, "get_capabilities", dict)())
