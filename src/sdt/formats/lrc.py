"""LRC, lyrics and the transcripts of some recognisers: lines `[00:12.50] text`, and tags such as `[ti:Title]`.

A line lasts until the next one; a line without text only ends the one before it. A line can have several times, when it
is repeated. Times within a line (`<00:12.80>`) are those of its words. The tag `offset` is in milliseconds: a positive
one makes all times earlier.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import begins
from sdt.formats.parsing.names import detect_names, split_name
from sdt.formats.parsing.notices import ignored_note, remove_sounds
from sdt.formats.transcript import Turn, tidy

_TAGS = "ti|ar|al|au|by|lr|offset|length|re|tool|ve|la|id"
_TAG = re.compile(rf"\[({_TAGS}):([^\]]*)\]", re.IGNORECASE)
_CLOCK = r"(?:\d{1,3}:)?\d{1,3}:\d{1,2}(?:[.:,]\d{1,3})?"
_TIME = re.compile(rf"\[({_CLOCK})\]\s*")
_WORD_TIME = re.compile(rf"<({_CLOCK})>")


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A line has no time, or a time or the offset is invalid.
    """
    lines: list[tuple[float, int, str]] = []
    offset = 0.0
    for number, line in enumerate(map(str.strip, decoded.text.split("\n")), start=1):
        if tag := _TAG.fullmatch(line):
            offset = _offset(path, number, tag[2]) if tag[1].lower() == "offset" else offset
            continue
        times, rest = [], line
        while found := _TIME.match(rest):
            times.append(_seconds(path, number, found[1]))
            rest = rest[found.end() :]
        if line and not times and not line.startswith("#"):
            raise InputError(f"{path}, line {number}: {quoted(line[:60])} has no time; expected [00:12.50] text")
        lines += [(time, number, rest) for time in times]
    lines = [(round(max(0.0, time - offset), 6), number, text) for time, number, text in sorted(lines)]
    names = detect_names([_WORD_TIME.sub("", text).strip() for _, _, text in lines if text])
    ends: list[float | None] = [None] * len(lines)
    for at in range(len(lines) - 2, -1, -1):  # lines with the same time end together
        ends[at] = lines[at + 1][0] if lines[at + 1][0] > lines[at][0] else ends[at + 1]
    turns = [
        _turn(path, number, text, (start, end), offset, names)
        for (start, number, text), end in zip(lines, ends, strict=True)
    ]
    silent = ignored_note("lines without text", [turn.line for turn in turns if not turn.text])
    spoken, sounds = remove_sounds([turn for turn in turns if turn.text])
    return spoken, sounds + silent


def _turn(
    path: Path, number: int, text: str, span: tuple[float, float | None], offset: float, names: frozenset[str]
) -> Turn:
    start, end = span
    name, words = split_name(_WORD_TIME.sub("", text).strip(), names)
    turn = Turn(number, tidy(words), name, start, end)
    before, *parts = _WORD_TIME.split(text)
    if name and before.strip():
        before = split_name(f"{before.strip()} x", names)[1].removesuffix("x")  # the name is no word
    elif not parts or name:
        return turn
    times = [round(max(0.0, _seconds(path, number, time) - offset), 6) for time in parts[::2]]
    texts = list(map(tidy, parts[1::2]))
    if before.strip():
        times, texts = [start, *times], [tidy(before), *texts]
    ends = [*times[1:], end if end is not None else times[-1]]
    timed = [Word(part, first, max(first, last)) for part, first, last in zip(texts, times, ends, strict=True) if part]
    return replace(turn, words=tuple(timed))


def _seconds(path: Path, number: int, text: str) -> float:
    """The seconds of `mm:ss.xx`, `mm:ss:xx` or `hh:mm:ss.xx`; minutes can be more than 59."""
    parts = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+)(?:[.,](\d+))?", re.sub(r"^(\d+:\d+):(\d+)$", r"\1.\2", text))
    hours, minutes, seconds, rest = parts.groups() if parts else ("", "", "60", "")
    if int(seconds) > 59:
        raise InputError(f"{path}, line {number}: [{text}] is not a time; expected [MM:SS.ss]")
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(f"{int(seconds)}.{rest or 0}")


def _offset(path: Path, number: int, text: str) -> float:
    if not re.fullmatch(r"\s*[+-]?\d{1,9}\s*", text):
        raise InputError(f"{path}, line {number}: offset {quoted(text)} is not a number of milliseconds")
    return int(text) / 1000


LRC = Format(
    "lrc",
    (".lrc",),
    begins(rf"(?i:\[(?:{_TAGS}):[^\]]*\]\s*\n)"),
    exclusive=True,
    read=read,
    title="LRC",
    holds=Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.TIMES | Holds.WORDS,
    primary=True,
)
