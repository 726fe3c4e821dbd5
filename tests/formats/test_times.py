from __future__ import annotations

import re

import pytest

from sdt.formats.parsing.times import parse_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  ", None),
        ("0", 0.0),
        ("12.5", 12.5),
        ("02:03", 123.0),
        ("00:16:16,059", 976.059),
        ("1:00:00.5", 3600.5),
        ("100:00:00", 360000.0),
        ("5.674666666666667", 5.674667),
        ("0:05.67466666666667", 5.674667),
        ("7,1466666666666665", 7.146667),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5E+02", 150.0),
        ("5.6e-17", 0.0),
        ("-5.6e-17", 0.0),
        ("-0.0", 0.0),
        ("2.5e-05", 2.5e-05),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    found = parse_seconds(text)
    assert found == expected
    assert str(found) != "-0.0"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-1",
        "-1e-3",
        "nan",
        "inf",
        "1e9",
        "1e400",
        "0:1e1",
        "0x1p3",
        "00:61:00",
        "1:2:3:4",
        "1_0",
        ".",
        "+1",
        "1..",
        "٣",
        "1,2,3",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_seconds(text)
