"""The one exception a user's mistake raises, and help in wording it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was wrong, where (file, line, utterance) and what to do. The command line prints it
    without a traceback and exits with code 2; from Python it is an ordinary `ValueError`.
    """


class MissingDependencyError(InputError, ImportError):
    """An optional part was used without the packages it needs; the message names the extra to install."""


class ToldElsewhereError(InputError):
    """Another process that trains together with this one has failed and says why; nothing is left to say here."""


def near_miss(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant.

    Args:
        word: What the user wrote.
        known: What they could have written.

    Returns:
        `"; did you mean 'gated'?"`, or `"; known are: a, b, c"` where nothing comes near.
    """
    choices = list(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are: {', '.join(choices)}" if choices else ""
