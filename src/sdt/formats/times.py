"""Times in annotation files."""

from __future__ import annotations

import re

LONGEST = 1e9
"""Seconds; no recording is as long."""
_NUMBER = r"\d{1,9}(?:[.,]\d{1,50})?"
_TIME = re.compile(
    rf"(?:(?:(?P<hours>\d{{1,4}}):)?(?P<minutes>[0-5]?\d):(?P<seconds>{_NUMBER})"
    rf"|(?P<alone>-?(?:{_NUMBER}|\d{{1,9}}[.,]|[.,]\d{{1,50}})(?:[eE][+-]?\d{{1,3}})?))",
    re.ASCII,
)


def seconds(text: str) -> float | None:
    """The seconds in `12.5` or `HH:MM:SS,mmm` (a point for the comma too), to the microsecond; None for an empty text.

    Seconds alone may have an exponent, and a minus where they are zero to the microsecond: sums of times end so.

    Raises:
        ValueError: It is neither.

    Example:
        >>> seconds("00:16:16,059"), seconds("5.674666666666667"), seconds("1e-05"), seconds("")
        (976.059, 5.674667, 1e-05, None)
    """
    text = text.strip()
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    hours, minutes, rest = found["hours"], found["minutes"], found["seconds"] or found["alone"]
    # Rounded so that 976 + 0.059 is written as 976.059; adding 0 turns -0.0 into 0.0.
    total = round(3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest.replace(",", ".")), 6) + 0.0
    if not 0 <= total < LONGEST:
        raise ValueError(text)
    return total
