"""What the `config.json` of a saved model must hold, checked before a model is built from it."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import torch

from sdt.conversation import MOST_LABELS
from sdt.errors import InputError, quoted
from sdt.json_values import check_statistics, get_dict, get_strings, is_finite, is_size, require
from sdt.models.registry import MODELS, label_of
from sdt.parameter_limit import limit_parameters, tensor_sizes

if TYPE_CHECKING:
    from sdt.models.base import Model
    from sdt.models.config import ModelConfig


def check_config(values: Mapping[str, Any], settings: type[Any]) -> None:
    """Refuse values of types that `ModelConfig.to_dict` cannot have written.

    Args:
        values: The content of config.json.
        settings: The class of `architecture`.

    Raises:
        ValueError: Says which key holds something else than it should.
    """
    for name, width in get_dict("modalities", values).items():
        require(is_size(width), f"the width of {quoted(name)} is no positive number")
        name.encode("utf-8")
    labels = get_strings("labels", values)
    require(0 < len(set(labels)) == len(labels) <= MOST_LABELS, f"'labels' are not 1 to {MOST_LABELS} different ones")
    speakers = get_dict("speakers", values)
    require(speakers.get("mode") in ("identity", "appearance"), "'mode' of 'speakers' is unknown")
    require(is_size(speakers.get("count")), "'count' of 'speakers' is no positive number")
    get_strings("names", speakers)
    get_dict("provenance", values)
    for name, encoder in get_dict("encoders", values).items():
        require(isinstance(encoder, str), f"the encoder of {quoted(name)} is no text")
    check_statistics(values)
    for name, temperature in get_dict("temperatures", {"temperatures": {}, **values}).items():
        require(is_finite(temperature), f"the temperature of {quoted(name)} is no finite number")
    _check_settings(get_dict("architecture", values), settings)


def _check_settings(values: Mapping[str, object], settings: type[Any]) -> None:
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        if field.name in values and not _fits(values[field.name], hints[field.name]):
            raise ValueError(f"'architecture': {field.name} is {quoted(values[field.name])}, of another type")


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type
    """Whether a JSON value is of a type; true for types that are neither plain nor made of plain ones."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, member) for member in get_args(hint))
    if origin is Literal:
        return any(type(value) is type(choice) for choice in get_args(hint))  # which ones, the class checks itself
    if hint is int:
        return is_finite(value) and isinstance(value, int) and abs(value) < 2**31
    if hint is float:
        return is_finite(value)
    if hint in (bool, str, type(None)):
        return isinstance(value, hint)
    return True


def check_size(kind: type[Model], config: ModelConfig, weights: Path) -> None:
    """Refuse a configuration that describes a larger model than the weights are of, before memory is taken for it.

    Raises:
        InputError: It does.
        SafetensorError, OSError: The file is damaged or missing.
    """
    sizes = tensor_sizes(weights)
    try:
        with limit_parameters(sizes), torch.device("meta"):
            model = kind(config)
    except Exception as error:
        if isinstance(error, InputError) or label_of(kind) in MODELS:
            raise
        return  # a researcher's own model may need numbers while it is built
    if (found := sum(tensor.numel() for tensor in model.state_dict().values())) > sum(sizes):
        raise InputError(f"describes a larger model than {weights.name} holds: {found:,} numbers, not {sum(sizes):,}")
