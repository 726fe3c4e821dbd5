"""A limit on the size of models that untrusted configurations describe: the size of their weights."""

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

_REGISTRATIONS = 10
"""How often a parameter can be registered while a model is built; weight normalisation replaces parameters."""
_ADDITIONAL = (100, 10_000_000)
"""Additional tensors and values that a model can have beyond its file, for parts that the file omits."""


def tensor_sizes(weights: Path) -> list[int]:
    """The number of values of each tensor of a safetensors file; reads the header only.

    Raises:
        SafetensorError, OSError: The file is damaged or missing.
    """
    with safe_open(weights, framework="np") as file:
        return [math.prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118 - no dictionary


@contextlib.contextmanager
def limit_parameters(sizes: list[int]) -> Iterator[None]:
    """Limit the models that this thread builds in the block to about these tensor sizes.

    Raises:
        InputError: A model is larger.
    """
    thread = threading.get_ident()
    totals = zip((len(sizes), sum(sizes)), _ADDITIONAL, strict=True)
    tensors, numbers = (_REGISTRATIONS * total + more for total, more in totals)

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal tensors, numbers
        if threading.get_ident() != thread or parameter is None:
            return
        tensors -= 1
        numbers -= parameter.numel()
        if tensors < 0 or numbers < 0:
            raise InputError(
                "the configuration describes a larger model than the weights, which have "
                f"{sum(sizes):,} values in {len(sizes):,} tensors"
            )

    handle = registration.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
