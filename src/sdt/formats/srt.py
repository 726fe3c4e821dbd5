"""SRT: numbered cues with the speaker and the emotion in front of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.formats.cues import CUES, cue_times, timestamp
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import TIME, first_lines
from sdt.formats.parsing.markup import cue_mark, escape_srt
from sdt.formats.parsing.subtitles import read_srt
from sdt.formats.transcript import Transcript, tidy


def matches(decoded: Decoded) -> bool:
    """Whether one of the first two lines is the timing of a cue."""
    cue = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(?:\s+[A-Za-z]\w*:\S+)*\s*")
    return any(cue.fullmatch(line) for line in first_lines(decoded)[:2])


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The cues, numbered from 1."""
    for number, (start, end, utterance, prediction) in enumerate(cue_times(transcript, path, "SRT"), start=1):
        text = tidy(f"{utterance.speaker}: {cue_mark(utterance, prediction)} {utterance.text or ''}")
        yield f"{number}\n{timestamp(start, ',')} --> {timestamp(end, ',')}\n{escape_srt(text)}\n\n"


SRT = Format(
    "srt",
    (".srt",),
    matches,
    certain=True,
    read=lambda path, decoded: read_srt(path, decoded.text),
    write=write,
    title="SRT",
    holds=CUES | Holds.ORDER,
    step=0.001,
    primary=True,
)
