"""Checks of values read from a JSON file that somebody else may have written."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sdt.errors import quoted

_LARGEST_SIZE = 2**31 - 1


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` with the message where the condition does not hold."""
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
    except OverflowError:  # of an integer
        return False


def get_dict(key: str, values: Mapping[str, object]) -> dict[str, object]:
    """The dictionary under a key; raises `ValueError` where there is none."""
    value = values.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{quoted(key)} is no dictionary")
    return value


def get_strings(key: str, values: Mapping[str, object]) -> list[str]:
    """The list of texts under a key; raises `ValueError` where there is none, or a text is not valid Unicode."""
    value = values.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{quoted(key)} is no list of texts")
    for item in value:
        item.encode("utf-8")  # UnicodeEncodeError, a ValueError, where JSON has half a character as an escape
    return value


def check_statistics(values: Mapping[str, object]) -> None:
    """Check `normalisation`, where it is among the values: modality to `mean` and `deviation`, lists of finite numbers.

    Raises:
        ValueError: It is something else.
    """
    for name, of in get_dict("normalisation", {"normalisation": {}, **values}).items():
        for key in ("mean", "deviation"):
            numbers = of.get(key) if isinstance(of, dict) else None
            found = isinstance(numbers, list) and all(map(is_finite, numbers))
            require(found, f"'{key}' in 'normalisation' of {quoted(name)} is no list of finite numbers")
