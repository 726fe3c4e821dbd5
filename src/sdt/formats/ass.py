r"""ASS and SSA, the subtitles of Aegisub and many players: `Dialogue:` lines in the section `[Events]`.

The field `Name` (`Actor`) is the speaker; without it, a name before a colon is. Override codes (`{\i1}`), drawings and
`Comment:` lines are removed. The cues are put in order of time.
"""

from __future__ import annotations

import re
from pathlib import Path

from sdt.errors import InputError, join_names, quoted
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import begins
from sdt.formats.parsing.markup import escape_webvtt
from sdt.formats.parsing.notices import ignored_note
from sdt.formats.parsing.rolling import Cue
from sdt.formats.parsing.subtitles import read_cues
from sdt.formats.parsing.times import parse_seconds
from sdt.formats.transcript import Turn, tidy

_SECTION = re.compile(r"\[([^\]]+)\]")
_FIELDS = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
"""The fields of an event, if the file does not name them."""
_CODES = re.compile(r"\{[^}]*\}")
_DRAWING = re.compile(r"\{[^}]*\\p[1-9][^}]*\}.*?(?:\{[^}]*\\p0[^}]*\}|$)")


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A line of dialogue lacks fields, or its times are invalid.
    """
    cues: list[Cue] = []
    comments: list[int] = []
    fields, section = _FIELDS, ""
    for number, line in enumerate(map(str.strip, decoded.text.split("\n")), start=1):
        if found := _SECTION.fullmatch(line):
            section = found[1].strip().lower()
        if section != "events":
            continue
        kind, _, rest = line.partition(":")
        if kind.lower() == "format":
            fields = [name.strip().lower().replace("actor", "name") for name in rest.split(",")]
            if missing := {"start", "end", "text"} - {*fields}:
                raise InputError(f"{path}, line {number}: the fields lack {join_names(sorted(missing))}")
        elif kind.lower() == "comment":
            comments.append(number)
        elif kind.lower() == "dialogue":
            cues.append(_cue(path, number, rest, fields))
    cues.sort(key=lambda cue: cue.start)
    turns, notes = read_cues(cues)
    return turns, notes + ignored_note("comments", comments)


def _cue(path: Path, number: int, line: str, fields: list[str]) -> Cue:
    values = line.strip().split(",", len(fields) - 1)
    if len(values) != len(fields):
        raise InputError(f"{path}, line {number}: {len(values)} fields; expected {len(fields)}: {join_names(fields)}")
    row = dict(zip(fields, map(str.strip, values), strict=True))
    start, end = (_seconds(path, number, row[side]) for side in ("start", "end"))
    if end < start:
        raise InputError(f"{path}, line {number}: end {end} is before start {start}")
    text = _CODES.sub("", _DRAWING.sub("", row["text"]))
    lines = [part for part in re.split(r"\\[Nn]", text.replace("\\h", " ")) if part.strip()]
    marked = [escape_webvtt(part.strip()) for part in lines]
    if marked and (name := tidy(row.get("name", ""))):
        marked[0] = f"<v {escape_webvtt(name)}>{marked[0]}"
    return Cue(number, None, start, end, [(number, part) for part in marked])


def _seconds(path: Path, number: int, text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError:
        seconds = None
    if seconds is None:
        raise InputError(f"{path}, line {number}: {quoted(text)} is not a time; expected 0:00:01.50")
    return seconds


ASS = Format(
    "ass",
    (".ass", ".ssa"),
    begins(r"(?i:\[(?:script info|v4\+? styles|events)\]\s*\n)"),
    exclusive=True,
    read=read,
    title="ASS, SSA",
    holds=Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.TIMES | Holds.OVERLAPS,
    primary=True,
)
