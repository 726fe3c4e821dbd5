"""Plain text: `Speaker: words` on a line, with or without a time before it.

Times are written `[00:01:02]` or `[00:01.2 - 00:03.4]`; before a name, `(00:01:02)` and `00:01:02` will do. The dates
that messengers write before each message are left out: they say nothing of a recording.

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
from sdt.transcripts.names import NamesSoFar, believed_names, split_name
from sdt.transcripts.transcript import Turn, tidy

_BRACKETS = re.compile(r"\[([^\[\]]{1,60})\]\s*")
_BARE = re.compile(r"(?P<open>\()?(\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?)(?(open)\))\s+(?=\D)")
_DATE = re.compile(
    r"\u200e?\[?(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d),?\s+"
    r"\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\.?)?(?:\]|\s+-|(?=\s))\s*",
    re.IGNORECASE,
)
"""As WhatsApp and others begin a message: `[12/03/2024, 10:15:32] Ann: Hi`, `3/12/24, 10:15 PM - Ann: Hi`."""
_RANGE = re.compile(r"\s*(?:-->|[-–—]|\bto\b)\s*")
_TIME = re.compile(r"\d+[:.,]\d|[\d.,]+s?\s*(?:-->|[-–—]|to)\s*\d[\d.,]*s?$")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    words: str
    start: float | None = None
    end: float | None = None
    dated: bool = False

    @property
    def begins(self) -> bool:
        """Whether what stands before the words says that an utterance begins here."""
        return self.dated or self.start is not None


def read_plain(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """The turns of a plain text, and notes.

    Raises:
        InputError: A time in brackets at the beginning of a line cannot be read.
    """
    lines = [_line(path, n, line.strip()) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    timed = any(line.begins for line in lines)
    # In a file with times, an untimed line is where utterances go on: it says nothing about names.
    beginnings = [line.words for line in lines if not timed or line.begins]
    names = believed_names(beginnings)
    turns: list[tuple[str | None, list[_Line]]] = []
    for line in lines:
        name, words = split_name(line.words, names)
        said = replace(line, words=words)
        if turns and name is None and not line.begins and (names or timed):
            turns[-1][1].append(said)
        else:
            turns.append((name, [said]))
    found = [_turn(name, said_lines) for name, said_lines in turns]
    silent = [turn.line for turn in found if not turn.text]
    notes = [f"utterances without words left out: {len(silent)}, the first in line {silent[0]}"] if silent else []
    dated = sum(line.dated for line in lines)
    notes += [f"dates before the words left out: {dated}"] if dated else []
    return [turn for turn in found if turn.text], notes


class PlainLines:
    """Plain text that is still being written: every line is an utterance, one without a name is of who spoke before.

    Speakers' names are told by the rules for files (see `sdt.transcripts.names`), applied to the lines so far.
    """

    def __init__(self) -> None:
        self._names = NamesSoFar()

    def turn(self, path: Path, number: int, text: str) -> Turn:
        """The turn of a line that is not blank; without words where it holds nothing but a name or a time.

        Raises:
            InputError: A time in brackets at its beginning cannot be read.
        """
        line = _line(path, number, text.strip())
        self._names.add(line.words)
        name, words = split_name(line.words, self._names.believed())
        return _turn(name, [replace(line, words=words)])


def _turn(name: str | None, lines: Sequence[_Line]) -> Turn:
    text = tidy(" ".join(line.words for line in lines))
    return Turn(lines[0].number, text, name, lines[0].start, lines[0].end)


def _line(path: Path, number: int, line: str) -> _Line:
    if dated := _DATE.match(line):
        return _Line(number, line[dated.end() :], dated=True)
    found = _BRACKETS.match(line)
    if found and _TIME.match(found[1].strip()):
        start, end = _times(path, number, found[1])
        return _Line(number, line[found.end() :], start, end)
    bare = _BARE.match(line)
    if bare and split_name(line[bare.end() :])[0] is not None:
        start, _ = _times(path, number, bare[2])
        return _Line(number, line[bare.end() :], start)
    return _Line(number, line)


def _times(path: Path, number: int, said: str) -> tuple[float, float | None]:
    times = _RANGE.split(said.strip())
    try:
        start, end = (seconds(time.removesuffix("s")) for time in (times if len(times) == 2 else [*times, ""]))
        if start is None or (len(times) == 2 and end is None):
            raise ValueError(said)
    except ValueError:
        raise InputError(
            f"{path}, line {number}: [{said}] is not a time; expected [HH:MM:SS] or [MM:SS.s - MM:SS.s]"
        ) from None
    return start, end
