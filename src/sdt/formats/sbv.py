"""SBV, captions of YouTube Studio: a line `0:00:01.000,0:00:02.500`, then the text, then an empty line."""

from __future__ import annotations

import re
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import begins
from sdt.formats.parsing.rolling import Cue
from sdt.formats.parsing.subtitles import read_cues
from sdt.formats.parsing.times import parse_seconds
from sdt.formats.transcript import Turn

_TIMING = re.compile(r"(\d+:\d\d:\d\d\.\d{1,3})\s*,\s*(\d+:\d\d:\d\d\.\d{1,3})")


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A block does not begin with its times, or they are invalid.
    """
    cues: list[Cue] = []
    apart = True
    for number, line in enumerate(map(str.strip, decoded.text.split("\n")), start=1):
        if not line:
            apart = True
        elif (found := _TIMING.fullmatch(line)) and (apart or not cues):
            start, end = parse_seconds(found[1]), parse_seconds(found[2])
            assert start is not None
            assert end is not None
            if end < start:
                raise InputError(f"{path}, line {number}: end {end} is before start {start}")
            cues.append(Cue(number, None, start, end, []))
            apart = False
        elif cues:  # a text can contain empty lines
            cues[-1].lines += [(number, part.strip()) for part in line.split("[br]") if part.strip()]
        else:
            raise InputError(
                f"{path}, line {number}: {quoted(line[:60])} is not a cue timing; expected 0:00:01.000,0:00:02.500"
            )
    return read_cues(cues)


SBV = Format(
    "sbv",
    (".sbv",),
    begins(r"\d+:\d\d:\d\d\.\d{3},\d+:\d\d:\d\d\.\d{3}\s*\n"),
    exclusive=True,
    read=read,
    title="SBV, captions of YouTube",
    holds=Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.TIMES | Holds.OVERLAPS,
    primary=True,
)
