"""A limit on models built from a stranger's configuration: what their file of weights justifies, and no more."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from pathlib import Path

from safetensors import safe_open
from torch import nn
from torch.nn.modules import module as registration

from sdt.errors import InputError

_REGISTERED = 10
"""How often a parameter may be registered while a model is built: weight normalisation, for one, replaces some."""
_FURTHER = (100, 10_000_000)
"""Tensors and numbers that a model may have beyond those in its file: parts that the file's task had no use for."""


def tensor_sizes(weights: Path) -> list[int]:
    """How many numbers each tensor of a safetensors file has; reads the header alone.

    Raises:
        SafetensorError, OSError: The file is damaged or missing.
    """
    with safe_open(weights, framework="np") as file:
        return [math.prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118 - no dictionary


@contextlib.contextmanager
def limit_parameters(sizes: list[int]) -> Iterator[None]:
    """While this lasts, no model can be built in this thread that is far larger than these sizes of tensors.

    Raises:
        InputError: One was begun.
    """
    thread = threading.get_ident()
    tensors, numbers = (_REGISTERED * of + more for of, more in zip((len(sizes), sum(sizes)), _FURTHER, strict=True))

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal tensors, numbers
        if threading.get_ident() != thread or parameter is None:
            return
        tensors -= 1
        numbers -= parameter.numel()
        if tensors < 0 or numbers < 0:
            raise InputError(
                "the configuration describes a larger model than the weights are of, which are "
                f"{sum(sizes):,} numbers in {len(sizes):,} tensors"
            )

    handle = registration.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
