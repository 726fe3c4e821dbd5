"""Colours of emotions in figures: those of the terminal, in shades that are legible on white."""

from __future__ import annotations

from collections.abc import Sequence

from sdt.prediction.display import STYLES

_PRINTED = {
    "white": "#9aa5b1",
    "bright_yellow": "#e3b505",
    "yellow": "#f07f2e",
    "bright_magenta": "#d6519f",
    "bright_red": "#c8283a",
    "red": "#7a2733",
    "green": "#4f9d69",
    "magenta": "#7b5ea7",
    "bright_blue": "#2a6f97",
}
"""Terminal colour name to shade."""
_OTHERS = ("#35b0ab", "#8c6d46", "#5b8c1a", "#a8b8f0", "#3c3f58", "#e8998d")
"""Colours of labels without a terminal colour, in order."""


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Assign a colour to each label; colours are different as long as there are enough.

    Args:
        labels: All labels of a model, so that a label has the same colour in all figures of the model.

    Example:
        >>> colours(["joy", "calm", "happy"])
        {'joy': '#e3b505', 'calm': '#35b0ab', 'happy': '#8c6d46'}
    """
    found: dict[str, str] = {}
    for label in labels:
        own = _PRINTED.get(STYLES.get(label.lower(), ""))
        free = [colour for colour in (*_OTHERS, *_PRINTED.values()) if colour not in found.values()]
        named = {_PRINTED[STYLES[of.lower()]] for of in labels if of.lower() in STYLES}
        unnamed = [colour for colour in free if colour not in named] or free
        again = [*_OTHERS, *_PRINTED.values()][len(found) % (len(_OTHERS) + len(_PRINTED))]
        found[label] = own if own and own not in found.values() else unnamed[0] if unnamed else again
    return found
