from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdt.text import repair_utf8, repair_windows1252


def test_windows1252_control_characters_become_what_they_were() -> None:
    assert repair_windows1252("It\x92s \x93here\x94 \x97 so\x85") == "It’s “here” — so…"


def test_undefined_positions_and_proper_text_stay() -> None:
    assert repair_windows1252("\x81 café – naïve’s") == "\x81 café – naïve’s"


@given(st.text(max_size=30))
def test_utf8_read_as_latin1_is_undone(text: str) -> None:
    assert repair_utf8(text.encode("utf-8").decode("latin1")) == text
    assert repair_windows1252(repair_windows1252(text)) == repair_windows1252(text)


def test_utf8_repair_leaves_latin1_text() -> None:
    assert repair_utf8("Nestl\xe9, it’s") == "Nestl\xe9, it’s"
