"""The content of `config.json` in a model folder: its types are checked before anything is built from it."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sdt.conversation import MAX_LABELS
from sdt.errors import InputError, describe_error, quoted
from sdt.json_values import check_statistics, get_dict, get_strings, is_finite, is_size, require
from sdt.models.config import Architecture, SDTConfig

FORMAT = 1
SDT_LABEL = "SDT"
"""The value of `model` in the configurations of SDT."""


def read_values(file: Path) -> dict[str, Any]:
    """Read the values of a configuration.

    Raises:
        InputError: The format is not supported.
        OSError: The file cannot be read.
        ValueError, KeyError, TypeError: The file is damaged.
    """
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if values["format"] != FORMAT:
        raise InputError(f"{file}: format {quoted(values['format'])} is not supported; expected {FORMAT}")
    return values


def read_sdt_config(file: Path) -> SDTConfig | None:
    """Read the configuration of SDT; None if the file is that of another model.

    Raises:
        InputError: The file is damaged.
    """
    try:
        values = read_values(file)
        if values.get("model", SDT_LABEL) != SDT_LABEL:
            return None
        check_config(values, Architecture)
        return SDTConfig.from_dict(values, Architecture)
    except InputError as error:
        raise InputError(f"{file}: {error}" if str(file) not in str(error) else str(error)) from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(f"{file}: damaged ({describe_error(error)})") from None


def check_config(values: Mapping[str, Any], settings: type[Any]) -> None:
    """Validate the types of the values of a configuration.

    Args:
        values: The content of config.json.
        settings: The class of `architecture`.

    Raises:
        ValueError: A value has the wrong type; the message names its key.
    """
    for name, width in get_dict("modalities", values).items():
        require(is_size(width), f"the width of {quoted(name)} is not a positive integer")
        name.encode("utf-8")
    labels = get_strings("labels", values)
    require(0 < len(set(labels)) == len(labels) <= MAX_LABELS, f"'labels' must be 1 to {MAX_LABELS} different names")
    speakers = get_dict("speakers", values)
    require(speakers.get("mode") in ("identity", "appearance"), "'mode' of 'speakers' is unknown")
    require(is_size(speakers.get("count")), "'count' of 'speakers' is not a positive integer")
    get_strings("names", speakers)
    get_dict("provenance", values)
    for name, encoder in get_dict("encoders", values).items():
        require(isinstance(encoder, str), f"the encoder of {quoted(name)} is not a string")
    check_statistics(values)
    for name, temperature in get_dict("temperatures", {"temperatures": {}, **values}).items():
        require(is_finite(temperature), f"the temperature of {quoted(name)} is not a finite number")
    _check_settings(get_dict("architecture", values), settings)


def _check_settings(values: Mapping[str, object], settings: type[Any]) -> None:
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        if field.name in values and not _fits(values[field.name], hints[field.name]):
            raise ValueError(f"'architecture': {field.name} is {quoted(values[field.name])}, which has the wrong type")


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type
    """Whether a JSON value has the type; True for types that cannot be checked."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, member) for member in get_args(hint))
    if origin is Literal:
        return any(type(value) is type(choice) for choice in get_args(hint))  # the class checks the choice
    if hint is int:
        return is_finite(value) and isinstance(value, int) and abs(value) < 2**31
    if hint is float:
        return is_finite(value)
    if hint in (bool, str, type(None)):
        return isinstance(value, hint)
    return True
