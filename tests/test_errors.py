"""User's values in error messages."""

from __future__ import annotations

import numpy as np
import pytest

from sdt.errors import printable, quoted


def _deep() -> list[object]:
    value: list[object] = []
    for _ in range(200_000):
        value = [value]
    return value


VALUES = [
    *("\x1b[31mred\n", "\ud800", "\u202e" * 50, "a" * 500, b"\x00" * 500, ["a" * 100] * 9, 10**5000, -(10**5000)),
    *([10**5000], {"a": 10**5000}, np.arange(10**6), np.array([10**5000, None]), _deep()),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))  # pytest itself cannot write some of them
def test_any_value_is_quoted_in_one_printable_line(value: object) -> None:
    text = quoted(value)
    assert 0 < len(text) <= 80
    assert text.isprintable()
    text.encode()


def test_quoted_short_values_are_whole() -> None:
    assert quoted("it's") == '"it\'s"'
    assert quoted(("a", 1, 2.5, None)) == "('a', 1, 2.5, None)"
    assert quoted("\x1b[0m") == r"'\x1b[0m'"


def test_printable_keeps_what_can_be_read() -> None:
    assert printable("café — 日本 'x' \\n") == "café — 日本 'x' \\n"
    assert printable("a\x1b[31m\nb\x9b\u202e") == r"a\x1b[31m\nb\x9b\u202e"
