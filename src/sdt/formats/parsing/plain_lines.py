"""A line of plain text: its date or time, its speaker if certain, and its words. See `sdt.formats.plain`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.parsing.markup import split_speaker_changes
from sdt.formats.parsing.message_dates import Stamp, match_date
from sdt.formats.parsing.names import find_candidate, is_capitalised
from sdt.formats.parsing.times import parse_seconds

_TIME = r"\d{1,3}:\d{1,2}(?::\d{1,2})?(?:[.,]\d{1,3})?"
_TO = r"\s*(?:-->|[-–—]|\bto\b)\s*"
_BRACKETS = re.compile(r"\[([^\[\]]{1,60})\]\s*")
_BARE = re.compile(rf"(?P<open>\()?({_TIME}(?:{_TO}{_TIME})?|\d+\.\d+\s+\d+\.\d+)(?(open)\))\s+(?=\D)")
_OF_DAY = r"\d{1,2}:\d\d(?::\d\d)?\s?[ap]\.?m\.?"
"""A time of day, which is not relative to a recording."""
_AFTER_NAME = re.compile(
    rf"(?P<open>\[)?(?P<name>[^\[\]()\n:：]{{1,60}}?)(?(open)\]\s*|\s*[\[(])"
    rf"(?P<time>{_TIME}(?:{_TO}{_TIME})?|\d+\.\d+\s*-\s*\d+\.\d+|{_OF_DAY})(?(open)|[\])])"
    r"\s*[:：]\s*(?P<words>.*)",
    re.IGNORECASE,
)
SECTION = re.compile(_TIME)
"""The time of a section, alone on a line."""
CHAT = re.compile(
    r"(?:\d{4}-\d\d-\d\d\s+)?\d\d:\d\d:\d\d\s+From\s+(?P<name>\S.{0,60}?)(?:\s+to\s+.{1,60}?)?\s*:(?:\s+(?P<words>.*))?",
    re.IGNORECASE,
)
"""A chat message of Zoom."""
_BEFORE_WORDS = re.compile(rf"[\[(]({_TIME}(?:{_TO}{_TIME})?)[\])]\s*")
_IEMOCAP = re.compile(r"Ses\d\d[FM]_\w+_([FM])\w+")
_DIRECTIONS = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Invisible characters that set the direction of writing; notices of messengers begin with them."""
_RANGE = re.compile(r"\s*(?:-->|[-–—]|\bto\b)\s*|\s+")
_TIMED = re.compile(r"\d+[:.,]\d|[\d.,]+s?\s*(?:-->|[-–—]|to)\s*\d[\d.,]*s?$")


@dataclass(frozen=True, slots=True)
class PlainLine:
    """A line, or the part of it after a change of speaker."""

    number: int
    text: str
    start: float | None = None
    end: float | None = None
    dated: bool = False
    notice: bool = False
    """Whether it is a notice of a messenger."""
    speaker: str | None = None
    """The speaker, if certain."""
    id: str | None = None
    changed: bool = False
    """Whether a change of speaker is marked."""
    sent: Stamp | None = None
    """When it was sent."""

    @property
    def begins(self) -> bool:
        """Whether a date, a time or a mark shows that an utterance starts here."""
        return self.dated or self.changed or self.start is not None


def parse_lines(path: Path, number: int, text: str) -> list[PlainLine]:
    """Split a line at `>>`, which marks a change of speaker."""
    if ">>" not in text:
        return [parse_line(path, number, text)]
    first, *others = split_speaker_changes(text)
    lines = [parse_line(path, number, first)] if first else []
    return lines + [replace(parse_line(path, number, part), changed=True) for part in others]


def parse_line(path: Path, number: int, text: str) -> PlainLine:
    """Parse a line that has one speaker.

    Raises:
        InputError: A time in brackets at its beginning is invalid.
    """
    line = text if text.isascii() else text.translate(_DIRECTIONS).strip()
    if chat := CHAT.fullmatch(line):
        return PlainLine(number, chat["words"] or "", dated=True, speaker=chat["name"])
    if dated := match_date(line):
        notice = bool(re.search(r":\s*\u200e", text))
        return PlainLine(number, line[dated[0] :], dated=True, notice=notice, sent=dated[1])
    found = _BRACKETS.match(line)
    if found and _TIMED.match(found[1].strip()):
        start, end = _times(path, number, found[1])
        return PlainLine(number, line[found.end() :], start, end)
    bare = _BARE.match(line)
    if bare and (_named(line[bare.end() :]) or "-->" in bare[2]):
        start, end = _times(path, number, bare[2])
        return PlainLine(number, line[bare.end() :], start, end)
    after = _AFTER_NAME.fullmatch(line)
    if after and (named := find_candidate(f"{after['name']}: ")):
        when: tuple[float | None, float | None] = (None, None)
        if not re.fullmatch(_OF_DAY, after["time"], re.IGNORECASE):
            when = _times(path, number, after["time"])
        iemocap = _IEMOCAP.fullmatch(named.name)
        speaker, id = (iemocap[1], named.name) if iemocap else (named.name, None)
        return PlainLine(number, after["words"], when[0], when[1], speaker=speaker, id=id)
    return PlainLine(number, line)


def _named(line: str) -> bool:
    """Whether a line probably begins with a name."""
    found = find_candidate(line)
    return found is not None and (found.shape == "plain" or is_capitalised(found.name))


def time_after_name(line: PlainLine, words: str) -> PlainLine:
    """The line with the text after its name, and the time before this text, if any."""
    found = _BEFORE_WORDS.match(words) if line.start is None else None
    if found is None:
        return replace(line, text=words)
    try:
        start, end = _range(found[1])
    except ValueError:
        return replace(line, text=words)
    return replace(line, text=words[found.end() :], start=start, end=end)


def _times(path: Path, number: int, text: str) -> tuple[float, float | None]:
    try:
        return _range(text)
    except ValueError:
        raise InputError(
            f"{path}, line {number}: [{text}] is not a time; expected [HH:MM:SS] or [MM:SS.s - MM:SS.s]"
        ) from None


def _range(text: str) -> tuple[float, float | None]:
    times = _RANGE.split(text.strip())
    start, end = (parse_seconds(time.removesuffix("s")) for time in (times if len(times) == 2 else [*times, ""]))
    if start is None or (len(times) == 2 and end is None):
        raise ValueError(text)
    return start, end
