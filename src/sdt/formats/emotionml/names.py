"""Namespaces and dimensions of EmotionML."""

from __future__ import annotations

import re

EMO = "http://www.w3.org/2009/10/emotionml"
"""The namespace of EmotionML 1.0."""
OWN = "urn:sdt-erc:emotionml:1"
"""The namespace of the elements in `info` that this package writes."""
DIMENSIONS = ("arousal", "valence", "dominance", "pleasure", "potency", "unpredictability", "expectation", "intensity")
"""The dimensions of the published vocabularies PAD, FSRE and others."""
_NMTOKEN = re.compile(r"[^\w.:-]+", re.ASCII)


def tokens(names: list[str]) -> dict[str, str]:
    """A token (NMTOKEN) for each name, which is what EmotionML has for the names of categories.

    Example:
        >>> tokens(["joy", "very happy", "very_happy"])
        {'joy': 'joy', 'very happy': 'very_happy-2', 'very_happy': 'very_happy'}
    """
    taken = {name for name in names if name and not _NMTOKEN.search(name)}
    found: dict[str, str] = {}
    for name in names:
        token = base = name if name in taken else _NMTOKEN.sub("_", name) or "_"
        number = 1
        while token in found.values() or (token in taken and token != name):
            number += 1
            token = f"{base}-{number}"
        found.setdefault(name, token)
    return found
