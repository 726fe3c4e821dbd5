"""The table of formats: every entry is whole, and the documentation shows it."""

from __future__ import annotations

import pytest

from sdt.errors import InputError
from sdt.formats.format import Format, Holds
from sdt.formats.overview import COLUMNS, markdown, rows
from sdt.formats.table import BUILTIN, FORMATS, format_of, writer
from tests.shared import ROOT


@pytest.mark.parametrize("format", BUILTIN, ids=[format.name for format in BUILTIN])
def test_entries_are_whole(format: Format) -> None:
    assert format.title
    assert format.readable or format.writable
    assert format.suffixes or format.content == "folder"
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in format.suffixes)
    reads = format.read if format.content == "text" else format.read_file
    finds = format.matches if format.content == "text" else format.matches_file
    assert bool(reads) == bool(finds) == format.readable
    assert format.holds
    assert (Holds.TIMES not in format.holds) or format.content != "text" or format.step >= 0


def test_every_name_occurs_once() -> None:
    assert len({format.name for format in BUILTIN}) == len(BUILTIN) == len(FORMATS.builtin)


def test_the_documentation_has_the_table() -> None:
    assert markdown() in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert {len(row) for row in rows()} == {len(COLUMNS)}


def test_mistakes() -> None:
    from pathlib import Path

    with pytest.raises(InputError, match="'vt' is unknown"):
        writer("vt")
    with pytest.raises(InputError, match="suffix"):
        format_of(Path("a.rttm"), Holds.PREDICTIONS)
    assert format_of(Path("a.RTTM")) == "rttm"
