"""Audacity's labels: start, end and a text on each line, separated by tabs.

The text is that of a cue of SRT: `Ann: [joy 0.83] I got the job!`. Lines with the frequencies of spectral labels, which
begin with a backslash, are ignored. Source: the manual of Audacity, "Importing and Exporting Labels".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.cues import CUES, require_times
from sdt.formats.format import DEFAULT_SECONDS, Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import NUMBER, every_line
from sdt.formats.parsing.markup import cue_mark, escape_srt
from sdt.formats.parsing.rolling import Cue
from sdt.formats.parsing.subtitles import read_cues
from sdt.formats.parsing.times import parse_seconds
from sdt.formats.transcript import Transcript, Turn, tidy

_LINE = re.compile(r"([^\t]+)\t([^\t]+)(?:\t(.*))?")


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns of a file.

    Raises:
        InputError: A line is not a label with its times.
    """
    cues: list[Cue] = []
    for number, line in enumerate(decoded.text.split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        found = _LINE.fullmatch(line.lstrip())
        try:
            start, end = (parse_seconds(found[side].strip()) for side in (1, 2)) if found else (None, None)
        except ValueError:
            start = end = None
        if found is None or start is None or end is None or end < start:
            raise InputError(
                f"{path}, line {number}: {quoted(line[:80])} is not a label; expected start, end and text separated by "
                "tabs, with times in seconds"
            )
        cues.append(Cue(number, None, start, end, [(number, (found[3] or "").strip())]))
    return read_cues(cues)


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The labels of a conversation, in its order."""
    require_times(transcript, path, "Audacity's label")
    for _, one, prediction in transcript.rows():
        assert one.start is not None
        end = one.start + DEFAULT_SECONDS if one.end is None else one.end
        text = tidy(f"{one.speaker}: {cue_mark(one, prediction)} {one.text or ''}")
        yield f"{one.start:.6f}\t{end:.6f}\t{escape_srt(text)}\n"


AUDACITY = Format(
    "audacity",
    (".labels",),
    every_line(rf"{NUMBER}\t{NUMBER}(?:\t.*)?", comments="\\"),
    certain=True,
    exclusive=True,
    read=read,
    write=write,
    title="Audacity labels",
    holds=CUES | Holds.ORDER | Holds.INSTANTS,
    step=1e-6,
)
