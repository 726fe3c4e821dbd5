"""The exceptions for invalid input, and helpers for their messages."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence


class InputError(ValueError):
    """Invalid input: a file, an option or an argument.

    The message is one line: what is wrong, where (file, line, utterance) and what to do. The command line prints it
    without a traceback and exits with code 2; in Python it is a `ValueError`.
    """


class MissingDependencyError(InputError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""


class ReportedElsewhereError(InputError):
    """Another process of the same distributed training failed and reports the error; this process stays silent."""


def near_miss(word: str, known: Iterable[str]) -> str:
    """Suggest a known word for a misspelt one, as the end of an error message.

    Args:
        word: The word that the user gave.
        known: The valid words.

    Returns:
        `"; did you mean 'gated'?"`, or `"; known are: a, b, c"` if no word is similar.
    """
    choices = list(known)
    close = difflib.get_close_matches(word[:_MAX], choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {quoted(close[0])}?"
    return f"; known are: {join_names(choices)}" if choices else ""


def shorten(text: str, most: int = 40) -> str:
    """Cut a text to a printable one of at most `most` characters, which ends in `...` if it was cut.

    Example:
        >>> shorten("a" * 1000, 8)
        'aaaaa...'
    """
    return printable(text) if len(text) <= most else f"{printable(text[: most - 3])}..."


def join_names(names: Sequence[str]) -> str:
    """Join names in one printable line: the first 20, each cut to 40 characters, and the number of the others."""
    shown = ", ".join(printable(name[: _MAX // 2]) for name in names[:_MAX_LISTED])
    return shown if len(names) <= _MAX_LISTED else f"{shown} and {len(names) - _MAX_LISTED:,} more"


class _Repr(reprlib.Repr):
    """The `repr` of a value, with a bounded cost for any value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _MAX
        self.maxlevel = 3

    def repr_int(self, number: int, level: int) -> str:
        if number.bit_length() > 1000:  # Python refuses to format very long integers
            return f"<an integer of {number.bit_length()} bits>"
        return super().repr_int(number, level)


_MAX = 80
_MAX_REASON = 160
_MAX_LISTED = 20
_REPR = _Repr()


def quoted(value: object) -> str:
    r"""Format a value of the user for an error message: its `repr`, cut to 80 characters.

    Control characters, escape sequences and lone surrogates are escaped, so that the message is one printable line.
    The cost is bounded for large and deeply nested values.

    Example:
        >>> print(quoted("\x1b[31mred"), quoted([["a", 1]]), len(quoted("a" * 1000)))
        '\x1b[31mred' [['a', 1]] 80
    """
    text = printable(_REPR.repr(value))
    return text if len(text) <= _MAX else f"{text[: _MAX - 3]}..."


def describe_error(error: BaseException) -> str:
    r"""Format an error of a library in one printable line: its type, and at most 160 characters of its message.

    Example:
        >>> print(describe_error(ValueError("line 1:\n\x1b[31mno number")))
        ValueError: line 1: \x1b[31mno number
    """
    text = printable(" ".join(str(error)[:2000].split()))
    return f"{type(error).__name__}: {text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 3] + '...'}"


def printable(text: str) -> str:
    r"""Escape control characters and escape sequences, which a terminal would interpret.

    Example:
        >>> print(printable("caf\xe9 \x1b[31m"))
        café \x1b[31m
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def os_error_reason(error: OSError) -> str:
    """Format an error of the operating system in one line: the file and the reason, without the error number.

    Example:
        >>> os_error_reason(OSError(28, "No space left on device", "scores.json"))
        'scores.json: No space left on device'
    """
    reason = error.strerror or str(error) or type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"
