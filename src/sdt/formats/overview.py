"""The table of formats for users: `sdt formats` prints it, and docs/formats.md contains it."""

from __future__ import annotations

from sdt.formats.format import Format, Holds
from sdt.formats.table import FORMATS

COLUMNS = ("format", "name", "suffixes", "read", "write", "holds")
_CONTENT = {
    "speakers": Holds.SPEAKERS,
    "text": Holds.TEXT,
    "times": Holds.TIMES | Holds.STARTS,
    "words": Holds.WORDS,
    "labels": Holds.LABELS,
    "annotators": Holds.ANNOTATORS,
    "predictions": Holds.PREDICTIONS,
    "fields": Holds.EXTRA,
    "tiers": Holds.TIERS,
    "media": Holds.MEDIA | Holds.CLIPS,
    "several": Holds.SEVERAL,
}


def rows() -> list[tuple[str, ...]]:
    """A row for each format, with the cells of `COLUMNS`; formats of installed packages last."""
    return [_row(format) for format in FORMATS.values()]


def markdown() -> str:
    """The built-in formats as a table in Markdown."""
    builtin = [_row(format) for format in FORMATS.builtin.values()]
    lines = [" | ".join(row) for row in (COLUMNS, ["---"] * len(COLUMNS), *builtin)]
    return "".join(f"| {line} |\n" for line in lines)


def _row(format: Format) -> tuple[str, ...]:
    suffixes = " ".join([format.suffix, *format.suffixes[1:]]) if format.content != "folder" else "folder"
    held = ", ".join(held_names(format))
    return (format.title or format.name, format.name, suffixes, _yes(format.readable), _yes(format.writable), held)


def held_names(format: Format) -> list[str]:
    """What the files of a format can hold, in words."""
    starts = Holds.STARTS in format.holds and Holds.TIMES not in format.holds
    names = {name: "starts" if name == "times" and starts else name for name in _CONTENT}
    return [names[name] for name, content in _CONTENT.items() if format.holds & content]


def _yes(value: bool) -> str:
    return "yes" if value else "–"
