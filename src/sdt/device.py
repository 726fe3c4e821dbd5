"""Where a model computes, and in which precision."""

from __future__ import annotations

import contextlib
from typing import Literal

import torch

from sdt.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]

DEVICES: tuple[DeviceName, ...] = ("auto", "cpu", "cuda")


def choose_device(name: DeviceName) -> torch.device:
    """The device of that name; `auto` is CUDA where there is a usable one.

    Raises:
        InputError: CUDA was asked for and this machine or this build of PyTorch has none.
    """
    if name == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if name == "cuda":
        raise InputError("device 'cuda': PyTorch finds no CUDA device here; use 'cpu' or 'auto'")
    return torch.device("cpu")


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """The context in which a forward pass and its loss run.

    Args:
        device: Where the model is.
        precision: `float32`: nothing is cast. `bfloat16`: matrix products in bfloat16, on any device. `auto`: bfloat16
            where it is fast, that is on CUDA devices of compute capability 8.0 or more; on a CPU it is slower.
    """
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bfloat16" if fast else "float32"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
