"""Checks of values from untrusted JSON files."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sdt.errors import quoted

_LARGEST_SIZE = 2**31 - 1


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def is_size(value: object) -> bool:
    """Whether a value is an integer from 1 to 2^31 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_SIZE


def is_finite(value: object) -> bool:
    """Whether a value is a number, neither infinite nor NaN, that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is too large
        return False


def get_dict(key: str, values: Mapping[str, object]) -> dict[str, object]:
    """The dictionary under a key.

    Raises:
        ValueError: The value is missing or has another type.
    """
    value = values.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{quoted(key)} is not a dictionary")
    return value


def get_strings(key: str, values: Mapping[str, object]) -> list[str]:
    """The list of strings under a key.

    Raises:
        ValueError: The value is missing or has another type, or a string is not valid Unicode.
    """
    value = values.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{quoted(key)} is not a list of strings")
    for item in value:
        item.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return value


def check_statistics(values: Mapping[str, object]) -> None:
    """Check the optional key `normalisation`: modality to `mean` and `deviation`, lists of finite numbers.

    Raises:
        ValueError: The value has another structure.
    """
    for name, statistics in get_dict("normalisation", {"normalisation": {}, **values}).items():
        for key in ("mean", "deviation"):
            numbers = statistics.get(key) if isinstance(statistics, dict) else None
            valid = isinstance(numbers, list) and all(map(is_finite, numbers))
            require(valid, f"'{key}' in 'normalisation' of {quoted(name)} is not a list of finite numbers")
