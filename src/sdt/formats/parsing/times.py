"""Parsing of times in annotation files."""

from __future__ import annotations

import re

LONGEST = 1e9
"""The largest time in seconds."""
_NUMBER = r"\d{1,9}(?:[.,]\d{1,50})?"
_TIME = re.compile(
    rf"(?:(?:(?P<hours>\d{{1,4}}):)?(?P<minutes>[0-5]?\d):(?P<seconds>{_NUMBER})"
    rf"|(?P<alone>-?(?:{_NUMBER}|\d{{1,9}}[.,]|[.,]\d{{1,50}})(?:[eE][+-]?\d{{1,3}})?))",
    re.ASCII,
)


def parse_seconds(text: str) -> float | None:
    """Parse `12.5` or `HH:MM:SS,mmm` (also with a point) as seconds, to the microsecond; None for an empty text.

    Plain seconds can have an exponent, and a minus sign if they round to zero, as in sums of times.

    Raises:
        ValueError: The text is not a time.

    Example:
        >>> parse_seconds("00:16:16,059"), parse_seconds("5.674666666666667"), parse_seconds("1e-05"), parse_seconds("")
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
