"""Plain text: `Speaker: words` on a line, with or without `[00:01:02]` or `[00:01.2 - 00:03.4]` before it.

A line without a speaker or a time goes on with the utterance above. Where the file names no speakers and no times at
all, every line is an utterance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.corpus.importers.times import seconds
from sdt.errors import InputError
from sdt.transcripts.names import believed_names, split_name
from sdt.transcripts.transcript import Turn, tidy

_BRACKETS = re.compile(r"\[([^\[\]]{1,60})\]\s*")
_RANGE = re.compile(r"\s*(?:-->|[-–—]|\bto\b)\s*")
_TIME = re.compile(r"\d+[:.,]\d|[\d.,]+s?\s*(?:-->|[-–—]|to)\s*\d[\d.,]*s?$")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    words: str
    start: float | None
    end: float | None


def read_plain(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """The turns of a plain text, and notes.

    Raises:
        InputError: A time in brackets at the beginning of a line cannot be read.
    """
    lines = [_line(path, n, line.strip()) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    timed = any(line.start is not None for line in lines)
    # In a file with times, an untimed line is where utterances go on: it says nothing about names.
    beginnings = [line.words for line in lines if not timed or line.start is not None]
    names = believed_names(beginnings)
    turns: list[tuple[str | None, list[_Line]]] = []
    for line in lines:
        name, words = split_name(line.words, names)
        said = replace(line, words=words)
        if turns and name is None and line.start is None and (names or timed):
            turns[-1][1].append(said)
        else:
            turns.append((name, [said]))
    found = [_turn(name, said_lines) for name, said_lines in turns]
    silent = [turn.line for turn in found if not turn.text]
    notes = [f"utterances without words left out: {len(silent)}, the first in line {silent[0]}"] if silent else []
    return [turn for turn in found if turn.text], notes


def _turn(name: str | None, lines: Sequence[_Line]) -> Turn:
    text = tidy(" ".join(line.words for line in lines))
    return Turn(lines[0].number, text, name, lines[0].start, lines[0].end)


def _line(path: Path, number: int, line: str) -> _Line:
    found = _BRACKETS.match(line)
    if not found or not _TIME.match(found[1].strip()):
        return _Line(number, line, None, None)
    times = _RANGE.split(found[1].strip())
    try:
        start, end = (seconds(time.removesuffix("s")) for time in (times if len(times) == 2 else [*times, ""]))
        if start is None or (len(times) == 2 and end is None):
            raise ValueError(found[1])
    except ValueError:
        raise InputError(
            f"{path}, line {number}: [{found[1]}] is not a time; expected [HH:MM:SS] or [MM:SS.s - MM:SS.s]"
        ) from None
    return _Line(number, line[found.end() :], start, end)
