"""Times in annotation files."""

from __future__ import annotations

import re


def seconds(text: str) -> float | None:
    """The seconds in `12.5` or `HH:MM:SS,mmm` (a point for the comma too); None for an empty text.

    Raises:
        ValueError: It is neither.

    Example:
        >>> seconds("00:16:16,059"), seconds("2.5"), seconds("")
        (976.059, 2.5, None)
    """
    text = text.strip()
    if not text:
        return None
    found = re.fullmatch(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,9}(?:[.,]\d{1,9})?)", text, re.ASCII)
    if not found:
        raise ValueError(text)
    hours, minutes, rest = found.groups()
    # Rounded so that 976 + 0.059 is written as 976.059.
    return round(3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest.replace(",", ".")), 6)
