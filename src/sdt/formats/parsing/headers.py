"""Transcripts with speakers and times on separate lines, as Otter, Rev, Teams, Zoom, Meet and YouTube write them.

| form       | lines of an utterance                                                                |
|------------|--------------------------------------------------------------------------------------|
| name, time | `Ann Lee  0:05`, `Ann Lee (00:05):`, `[Ann Lee] 10:32:05`, `[00:05] - Ann Lee`; text |
| two lines  | `Ann Lee`, `0:05`; text. The time can also come first                                |
| time       | `0:05`; text. There are no names                                                     |
| name       | `Ann Lee`; text; an empty line                                                       |

Times can be spelled out, `1 minute 5 seconds`, as in Teams, and can be repeated in digits on the next line.

A single header is not sufficient: there must be several, followed by text, with names that recur or are capitalised.
Clock times with AM or PM, or with a date, are ignored, because they are not relative to a recording.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sdt.formats.parsing.names import detect_names, find_candidate, is_capitalised, split_name
from sdt.formats.parsing.times import parse_seconds

Lines = Sequence[tuple[int, str]]
"""Non-blank lines with their numbers."""

_TIME = r"\d{1,3}:\d{1,2}(?::\d{1,2})?(?:[.,]\d{1,3})?"
_DATE = r"(?:today|yesterday|\d{1,2}[./-]\d{1,2}(?:[./-]\d{2,4})?|\d{4}-\d\d-\d\d)"
_WHEN = (
    rf"(?:(?P<date>{_DATE})(?:\s+at|,)?\s+)?(?P<start>{_TIME})(?P<clock>\s?[ap]\.?m\.?(?!\w))?+"
    rf"(?:\s*(?:-->|[-–—]|\bto\b)\s*(?P<end>{_TIME})(?:\s?[ap]\.?m\.?)?)?"
)
_NAME_TIME = re.compile(
    rf"(?P<name>\S.{{0,60}}?)(?P<mark>\s*[\[(|,–—·•-]\s*\[?|\s+){_WHEN}\s*[\])]?\s*[:：]?", re.IGNORECASE
)
_TIME_NAME = re.compile(
    rf"[\[(]?{_WHEN}[\])]?(?P<mark>\s*[|–—·•-]\s*|\s+)(?P<name>\S.{{0,60}}?)(?P<colon>\s*[:：])?", re.IGNORECASE
)
_TIME_ALONE = re.compile(rf"[\[(]?{_WHEN}[\])]?", re.IGNORECASE)
_SPELLED_TIME = re.compile(
    r"(?P<before>^|\s)(?=\d)(?:(?P<hours>\d{1,3}) hours? ?)?(?:(?P<minutes>\d{1,2}) minutes? ?)?"
    r"(?:(?P<seconds>\d{1,2}) seconds?)?$",
    re.IGNORECASE,
)


@dataclass
class Block:
    """An utterance with its header."""

    line: int
    name: str | None
    start: float | None
    end: float | None
    lines: list[tuple[int, str]] = field(default_factory=list)
    certain: bool = False
    """Whether more than a space separates name and time."""


@dataclass
class HeaderedText:
    """The content of a transcript with headers."""

    blocks: list[Block]
    before: list[int]
    """Lines before the first header, such as titles."""


def find_headers(lines: Lines, blank: Sequence[bool]) -> HeaderedText | None:
    """Find the headers of a transcript; None if it has none.

    Args:
        lines: All non-blank lines.
        blank: Whether an empty line precedes each line.
    """
    lines, blank = _to_digits(lines, blank)
    parsers: tuple[Callable[[Lines, Sequence[bool]], HeaderedText | None], ...]
    parsers = (_name_and_time, _time_alone, _name_alone)
    return next((found for parse in parsers if (found := parse(lines, blank))), None)


def _to_digits(lines: Lines, blank: Sequence[bool]) -> tuple[Lines, Sequence[bool]]:
    """Write spelled-out times at the ends of lines in digits, and drop a next line that only repeats the time."""
    kept: list[tuple[int, str]] = []
    apart: list[bool] = []
    for (number, text), gap in zip(lines, blank, strict=True):
        found = _SPELLED_TIME.search(text)
        if found:
            parts = [int(found[part] or 0) for part in ("hours", "minutes", "seconds")]
            text = f"{text[: found.start()]}{found['before']}{parts[0]}:{parts[1]:02}:{parts[2]:02}"
        if kept and not gap and (again := _TIME_ALONE.fullmatch(text)) and _same_time(kept[-1][1], again["start"]):
            continue
        kept.append((number, text))
        apart.append(gap)
    return kept, apart


def _same_time(line: str, time: str) -> bool:
    """Whether a line ends with this time."""
    found = re.search(rf"(?:^|\s)({_TIME})$", line)
    try:
        return found is not None and parse_seconds(found[1]) == parse_seconds(time)
    except ValueError:
        return False


def parse_header(line: tuple[int, str]) -> Block | None:
    """Parse a line that is probably a name with a time, without text."""
    block = _header(_NAME_TIME, line)
    return block if block and block.certain and block.name and is_capitalised(block.name) else None


def _name_and_time(lines: Lines, _: Sequence[bool]) -> HeaderedText | None:
    for pattern in (_NAME_TIME, _TIME_NAME):
        found = _split(lines, partial(_header, pattern))
        if found and len({block.start is None for block in found.blocks}) > 1:  # the time of day of a meeting
            found = _split(lines, partial(_timed_header, pattern))
        if found is None:
            continue
        blocks = found.blocks
        names = Counter(block.name for block in blocks if block.name)
        recurring = max(names.values()) > 1
        certain = all(block.certain for block in blocks)
        named = all(count > 1 or is_capitalised(name) for name, count in names.items())
        single = pattern is _NAME_TIME and certain and not found.before
        if named and (single or (len(blocks) > 1 and (recurring or certain or pattern is _NAME_TIME))):
            return found
    return None


def _header(pattern: re.Pattern[str], line: tuple[int, str]) -> Block | None:
    found = pattern.fullmatch(line[1])
    if not found or not (name := _name(found["name"])):
        return None
    if pattern is _TIME_NAME and re.search(r"[.!?…]$", name):
        return None
    block = _block(line[0], name, found)
    if block:
        apart = r"\s{2}|[\[(|]" if pattern is _NAME_TIME else r"\S"
        block.certain = bool(re.search(apart, found["mark"]) or (pattern is _TIME_NAME and found["colon"]))
    return block


def _timed_header(pattern: re.Pattern[str], line: tuple[int, str]) -> Block | None:
    """A header with a time of the recording, not a time of day."""
    block = _header(pattern, line)
    return block if block and block.start is not None else None


def _time_alone(lines: Lines, _: Sequence[bool]) -> HeaderedText | None:
    found = _split(lines, lambda line: (m := _TIME_ALONE.fullmatch(line[1])) and _block(line[0], None, m))
    if found is None or _has_names(found.blocks):
        return None
    blocks = found.blocks
    if found.before:  # the name is above the time
        above = [lines[len(found.before) - 1], *(block.lines[-1] for block in blocks[:-1] if block.lines)]
        names = parse_names([text for _, text in above])
        if len(above) == len(blocks) and names and all(len(block.lines) > 1 for block in blocks[:-1]):
            for block, (number, _text), name in zip(blocks, above, names, strict=True):
                block.line, block.name = number, name
            for block in blocks[:-1]:
                del block.lines[-1]
            return HeaderedText(blocks, found.before[:-1])
    if len(blocks) < 2:
        return None
    names = parse_names([block.lines[0][1] for block in blocks if len(block.lines) > 1])
    if names and len(names) == len(blocks):  # the name is below the time
        for block, name in zip(blocks, names, strict=True):
            block.name = name
            del block.lines[0]
    return found


def _has_names(blocks: Sequence[Block]) -> bool:
    """Whether most lines begin with a speaker: then the times are those of sections, as Meet writes them."""
    words = [text for block in blocks for _, text in block.lines]
    names = detect_names(words)
    return 2 * sum(split_name(text, names)[0] is not None for text in words) > len(words)


def _name_alone(lines: Lines, blank: Sequence[bool]) -> HeaderedText | None:
    groups: list[list[tuple[int, str]]] = []
    for line, apart in zip(lines, blank, strict=True):
        if apart or not groups:
            groups.append([])
        groups[-1].append(line)
    blocks: list[Block] = []
    before: list[int] = []
    for group in groups:
        name = parse_names([group[0][1]]) if len(group) > 1 and is_capitalised(group[0][1]) else None
        if name:
            blocks.append(Block(group[0][0], name[0], None, None, group[1:]))
        elif blocks:  # another paragraph
            blocks[-1].lines += group
        else:
            before += [number for number, _ in group]
    if 3 * len(blocks) < 2 * len(groups) or len({block.name for block in blocks}) == len(blocks):
        return None
    return HeaderedText(blocks, before)


def _split(lines: Lines, parse: Callable[[tuple[int, str]], Block | None]) -> HeaderedText | None:
    """Group lines by their headers; None if there are no headers, or most of them have no text."""
    blocks: list[Block] = []
    before: list[int] = []
    for line in lines:
        if block := parse(line):
            blocks.append(block)
        elif blocks:
            blocks[-1].lines.append(line)
        else:
            before.append(line[0])
    if not blocks or 2 * sum(bool(block.lines) for block in blocks) < len(blocks) or 2 * len(before) > len(lines):
        return None
    return HeaderedText(blocks, before)


def parse_names(lines: Sequence[str]) -> list[str] | None:
    """Parse lines as names; None unless all are names that recur or are capitalised."""
    names = [_name(line) for line in lines]
    counts = Counter(names)
    if not names or not all(
        name and not re.search(r"[.!?…]$", name) and (counts[name] > 1 or is_capitalised(name)) for name in names
    ):
        return None
    return [name for name in names if name]


def _name(text: str) -> str | None:
    """Parse a whole text as a name without surrounding marks."""
    bare = re.sub(r"^[\[(<*_]+|[\])>*_]+$", "", text.strip().rstrip(":：")) if re.match(r"[\[(<*_]", text) else text
    found = find_candidate(f"{bare.strip().rstrip(':：')}: ")
    return found.name if found and not found.rest and found.shape != "bracketed" else None


def _block(line: int, name: str | None, when: re.Match[str]) -> Block | None:
    try:
        start, end = parse_seconds(when["start"]), parse_seconds(when["end"] or "")
    except ValueError:
        return None
    clock = bool(when["clock"] or when["date"])
    return Block(line, name, None if clock else start, None if clock else end)
