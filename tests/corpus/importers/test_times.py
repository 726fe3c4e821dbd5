from __future__ import annotations

import pytest

from sdt.corpus.importers.times import seconds


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
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["x", "-1", "nan", "1e3", "00:61:00", "1:2:3:4", "1_0", "٣", "1,2,3"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        seconds(text)
