"""SRT and WebVTT: cues with times; the speaker is in a voice tag (`<v Ann>`) or in "ANN:" at the beginning.

Tags, positions and comments are removed and the lines of a cue joined. Dialogue dashes, several voices or several names
in one cue make as many utterances, which share its times.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.corpus.importers.times import seconds
from sdt.errors import InputError
from sdt.transcripts.markup import dialogue, plain, unmarked, voices
from sdt.transcripts.names import believed_names, split_name
from sdt.transcripts.transcript import Turn, tidy

_TIMING = re.compile(r"(\S+?)\s*-->\s*(\S+)(?:\s.*)?$")
_TIMING_ANYWHERE = re.compile(r"\d+:\d+[\d:.,]*\s*-->\s*\d+:\d+")
_WORD_TIME = re.compile(r"<\d+:\d\d[\d:.]*>")
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")

_Lines = list[tuple[int, str]]
"""Lines of the file, none of them empty, each with its number."""


@dataclass(frozen=True, slots=True)
class _Cue:
    line: int
    id: str | None
    start: float
    end: float
    lines: _Lines


@dataclass(frozen=True, slots=True)
class _Said:
    """What one speaker says in a cue."""

    cue: _Cue
    speaker: str | None
    lines: list[str]


def read_srt(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """The turns of an SRT file, and notes.

    Raises:
        InputError: A time cannot be read, or the file does not begin with a cue.
    """
    cues, stray = _cues(path, _blocks(text, webvtt=False), webvtt=False)
    if stray:
        raise InputError(
            f"{path}, line {stray[0][0]}: expected a cue (00:00:01,000 --> 00:00:02,500); is this an SRT file?"
        )
    return _turns(cues)


def read_webvtt(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """The turns of a WebVTT file, and notes. Where every cue has an identifier of its own, so have the utterances.

    Raises:
        InputError: A time cannot be read.
    """
    first, *blocks = _blocks(text, webvtt=True)
    headed = first[0][1].startswith("WEBVTT")
    if not headed or any("-->" in line for _, line in first):
        blocks.insert(0, first[1:] if headed else first)
    cues, stray = _cues(path, blocks, webvtt=True)
    repeated = _unroll(cues)
    turns, notes = _turns([cue for cue in cues if cue.lines] if repeated else cues)
    if repeated:
        notes.append(f"rolling captions: lines that repeat the one before left out: {repeated}")
    if not headed:
        notes.append("the first line is not WEBVTT: read as if it were")
    if stray:
        notes.append(f"lines outside of cues left out: {len(stray)}, the first is line {stray[0][0]}")
    return turns, notes


def _blocks(text: str, *, webvtt: bool) -> Iterator[_Lines]:
    """The stretches between empty lines. In WebVTT a line of blanks is not empty: captions of YouTube have some."""
    block: _Lines = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append((number, line.strip()))
        elif block and not (webvtt and line):
            yield block
            block = []


def _cues(path: Path, blocks: Iterator[_Lines] | Sequence[_Lines], *, webvtt: bool) -> tuple[list[_Cue], _Lines]:
    """The cues, and the lines that belong to none."""
    cues: list[_Cue] = []
    stray: _Lines = []
    for block in blocks:
        if webvtt and _COMMENT.match(block[0][1]):
            continue
        # In WebVTT an empty line ends a cue; SRT files have some inside of their texts.
        lines = stray if webvtt or not cues else cues[-1].lines
        for place, (number, line) in enumerate(block):
            before = lines[-1] if place and lines and lines[-1] == block[place - 1] else None
            named = before is not None and (before[1].isdigit() or (webvtt and place == 1))
            if "-->" in line and (place == 0 or (place == 1 and named) or _TIMING_ANYWHERE.match(line)):
                id_ = lines.pop()[1] if named else None
                start, end = _times(path, number, line)
                cues.append(_Cue(number, tidy(id_) or None if id_ and webvtt else None, start, end, []))
                lines = cues[-1].lines
            else:
                lines.append((number, line))
    return cues, stray


def _times(path: Path, number: int, line: str) -> tuple[float, float]:
    found = _TIMING.match(line)
    try:
        start, end = (seconds(found[side]) for side in (1, 2)) if found else (None, None)
    except ValueError:
        start = end = None
    if start is None or end is None:
        raise InputError(
            f"{path}, line {number}: {line[:60]!r} is not the time of a cue; expected 00:00:01,000 --> 00:00:02,500"
        )
    if end < start:
        raise InputError(f"{path}, line {number}: end {end} comes before start {start}")
    return start, end


def _unroll(cues: Sequence[_Cue]) -> int:
    """Remove what rolling captions repeat, and count it: each line is shown again above the next one.

    Captions that are made by machine roll; they have the time of each word in them, which others hardly ever have.
    """
    if not any(_WORD_TIME.search(line) for cue in cues for _, line in cue.lines):
        return 0
    repeated, last = 0, ""
    for cue in cues:
        lines = [plain(line) for _, line in cue.lines]
        if lines and lines[0] == last:
            del cue.lines[0]
            repeated += 1
        last = lines[-1] if lines else last
    return repeated


def _turns(cues: Sequence[_Cue]) -> tuple[list[Turn], list[str]]:
    said = [part for cue in cues for part in _said(cue)]
    names = believed_names([part.lines[0] for part in said if part.speaker is None], capitals=True)
    found = [turn for part in said for turn in _named(part, names)]
    turns = [turn for turn in found if turn is not None]
    ids = {turn.id for turn in turns}
    if len(ids) < len(turns) or None in ids:
        turns = [replace(turn, id=None) for turn in turns]
    silent = len(found) - len(turns)
    return turns, [f"cues without words left out: {silent}"] if silent else []


def _said(cue: _Cue) -> Iterator[_Said]:
    for speaker, markup in voices("\n".join(line for _, line in cue.lines)):
        lines = [line for line in map(str.strip, plain(markup).split("\n")) if line]
        for part in [lines] if speaker else dialogue(lines):
            yield _Said(cue, speaker and tidy(speaker), part or [""])
        if not lines and not speaker:
            yield _Said(cue, None, [""])


def _named(said: _Said, names: Collection[str]) -> Iterator[Turn | None]:
    """The turns of a part: one, or several where several lines begin with a name; None for one that says nothing."""
    parts: list[tuple[str | None, list[str]]] = []
    for line in said.lines:
        name, words = split_name(line, names) if said.speaker is None else (said.speaker, line)
        if parts and (name is None or said.speaker):
            parts[-1][1].append(words)
        else:
            parts.append((name, [words]))
    for name, lines in parts:
        marked, label, review, text = unmarked(tidy(" ".join(lines)))
        cue = said.cue
        turn = Turn(cue.line, text or None, name, cue.start, cue.end, cue.id, label, review=review)
        yield turn if text or marked else None
