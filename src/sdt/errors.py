"""The one exception a user's mistake raises, and help in wording its message."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was wrong, where (file, line, utterance) and what to do. The command line prints it
    without a traceback and exits with code 2; from Python it is an ordinary `ValueError`.
    """


class MissingDependencyError(InputError, ImportError):
    """An optional part was used without the packages it needs; the message names the extra to install."""


class ReportedElsewhereError(InputError):
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
    close = difflib.get_close_matches(word[:_MOST], choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {quoted(close[0])}?"
    return f"; known are: {join_names(choices)}" if choices else ""


def join_names(names: Sequence[str]) -> str:
    """Names in one printable line: the first 20, each of at most 40 characters, and how many more there are."""
    shown = ", ".join(printable(name[: _MOST // 2]) for name in names[:_MOST_LISTED])
    return shown if len(names) <= _MOST_LISTED else f"{shown} and {len(names) - _MOST_LISTED:,} more"


class _Repr(reprlib.Repr):
    """Python's way of writing a value, with a bounded cost for any value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _MOST
        self.maxlevel = 3

    def repr_int(self, number: int, level: int) -> str:
        if number.bit_length() > 1000:  # Python itself refuses to write very long integers
            return f"<an integer of {number.bit_length()} bits>"
        return super().repr_int(number, level)


_MOST = 80
_MOST_REASON = 160
_MOST_LISTED = 20
_REPR = _Repr()


def quoted(value: object) -> str:
    r"""A user's value as an error message shows it: as Python writes it, cut to 80 characters.

    Control characters, escape sequences and lone surrogates come out as escapes, so that the message is one line and
    can be printed anywhere. The cost is bounded, however large or deeply nested the value is.

    Example:
        >>> print(quoted("\x1b[31mred"), quoted([["a", 1]]), len(quoted("a" * 1000)))
        '\x1b[31mred' [['a', 1]] 80
    """
    text = printable(_REPR.repr(value))
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


def describe_error(error: BaseException) -> str:
    r"""Another library's error in one printable line: its type, and at most 160 characters of its message.

    Example:
        >>> print(described(ValueError("line 1:\n\x1b[31mno number")))
        ValueError: line 1: \x1b[31mno number
    """
    text = printable(" ".join(str(error)[:2000].split()))
    return f"{type(error).__name__}: {text if len(text) <= _MOST_REASON else text[: _MOST_REASON - 3] + '...'}"


def printable(text: str) -> str:
    r"""The text with whatever a terminal would act upon (control characters, escape sequences) written as escapes.

    Example:
        >>> print(printable("caf\xe9 \x1b[31m"))
        café \x1b[31m
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def os_error_reason(error: OSError) -> str:
    """What the system refused and for which file, in one line without the error's number.

    Example:
        >>> reason(OSError(28, "No space left on device", "scores.json"))
        'scores.json: No space left on device'
    """
    said = error.strerror or str(error) or type(error).__name__
    return said if error.filename is None else f"{error.filename}: {said}"
