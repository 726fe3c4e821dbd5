"""Reading of SRT and WebVTT: cues with times, and speakers in voice tags (`<v Ann>`) or before a colon ("ANN:").

Tags, positions and comments are removed, and the lines of a cue are joined. A cue with several speakers (dialogue
dashes, `>>`, voice tags or names) becomes one utterance per speaker, all with the times of the cue. Descriptions of
sounds and repeated captions (see `sdt.formats.parsing.rolling`) are removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.parsing.headers import parse_names
from sdt.formats.parsing.markup import (
    mark_prediction,
    split_dialogue,
    split_speaker_changes,
    split_voices,
    strip_mark,
    strip_markup,
)
from sdt.formats.parsing.names import detect_names, find_candidate, split_name, without_remark
from sdt.formats.parsing.notices import ignored_note, is_sound
from sdt.formats.parsing.rolling import Cue, Lines, unroll
from sdt.formats.parsing.times import parse_seconds
from sdt.formats.transcript import Turn, tidy

_TIMING = re.compile(r"(\S+?)\s*-->\s*(\S+)(?:\s.*)?$")
_TIMING_ANYWHERE = re.compile(r"\d+:\d+[\d:.,]*\s*-->\s*\d+:\d+")
_NAMED_ID = re.compile(r"\d+\s+\"(?P<name>[^\"]{1,60})\"(?:\s+\(\d+\))?")
"""The cue identifiers of Webex: `12 "Ann Lee" (3232)`."""
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


@dataclass(frozen=True, slots=True)
class _CuePart:
    """The lines of one speaker in a cue."""

    cue: Cue
    speaker: str | None
    lines: list[str]
    changed: bool = False
    """Whether a change of speaker is marked."""


def read_srt(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of an SRT file, and notes.

    Raises:
        InputError: A time is invalid, or the file does not begin with a cue.
    """
    cues, stray = _cues(path, _blocks(text, webvtt=False), webvtt=False)
    if stray:
        raise InputError(
            f"{path}, line {stray[0][0]}: expected a cue (00:00:01,000 --> 00:00:02,500); is this an SRT file?"
        )
    return read_cues(cues)


def read_webvtt(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of a WebVTT file, and notes. Unique cue identifiers become the ids of the utterances.

    Raises:
        InputError: A time is invalid.
    """
    first, *blocks = _blocks(text, webvtt=True)
    headed = first[0][1].startswith("WEBVTT")
    rest = first[1:] if headed else first
    if rest and (not headed or any("-->" in line for _, line in rest)):
        blocks.insert(0, rest)
    cues, stray = _cues(path, blocks, webvtt=True)
    turns, notes = read_cues(cues)
    if not headed:
        notes.append("the first line is not WEBVTT; read as WebVTT nevertheless")
    return turns, notes + ignored_note("lines outside of cues", [number for number, _ in stray])


def _blocks(text: str, *, webvtt: bool) -> Iterator[Lines]:
    """Group lines by empty lines. In WebVTT, a line of spaces is not empty; YouTube's captions have such lines."""
    block: Lines = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append((number, line.strip()))
        elif block and not (webvtt and line):
            yield block
            block = []


def _cues(path: Path, blocks: Iterator[Lines] | Sequence[Lines], *, webvtt: bool) -> tuple[list[Cue], Lines]:
    """Parse the cues; also return the lines outside of cues."""
    cues: list[Cue] = []
    stray: Lines = []
    for block in blocks:
        if webvtt and _COMMENT.match(block[0][1]):
            continue
        # In WebVTT, an empty line ends a cue; in SRT files, the text of a cue can contain empty lines.
        lines = stray if webvtt or not cues else cues[-1].lines
        for index, (number, line) in enumerate(block):
            before = lines[-1] if index and lines and lines[-1] == block[index - 1] else None
            named = before is not None and (before[1].isdigit() or (webvtt and index == 1))
            if "-->" in line and (index == 0 or (index == 1 and named) or _TIMING_ANYWHERE.match(line)):
                id_ = lines.pop()[1] if named else None
                start, end = _times(path, number, line)
                cues.append(Cue(number, tidy(id_) or None if id_ and webvtt else None, start, end, []))
                lines = cues[-1].lines
            else:
                lines.append((number, line))
    return cues, stray


def _times(path: Path, number: int, line: str) -> tuple[float, float]:
    found = _TIMING.match(line)
    try:
        start, end = (parse_seconds(found[side]) for side in (1, 2)) if found else (None, None)
    except ValueError:
        start = end = None
    if start is None or end is None:
        raise InputError(
            f"{path}, line {number}: {quoted(line[:60])} is not a cue timing; expected 00:00:01,000 --> 00:00:02,500"
        )
    if end < start:
        raise InputError(f"{path}, line {number}: end {end} is before start {start}")
    return start, end


def read_cues(cues: list[Cue]) -> tuple[list[Turn], list[str]]:
    """Read the turns of cues, and notes: names, marks of emotions, sounds, and captions that repeat text."""
    _name_by_ids(cues)
    notes = [] if any(map(_names_or_marks, cues)) else unroll(cues)
    _name_first_lines(cues)
    parts = [part for cue in cues for part in _split_speakers(cue)]
    names = detect_names(
        [part.lines[0] for part in parts if part.speaker is None],
        capitals=True,
        changes=[part.lines[0] for part in parts if part.changed],
    )
    spoken: list[Turn] = []
    silent, sounds = 0, []
    for turn, marked in (turn for part in parts for turn in _split_names(part, names)):
        if marked or (turn.text and not is_sound(turn.text)):
            spoken.append(turn)
        elif turn.text:
            sounds.append(turn.line)
        else:
            silent += 1
    ids = {turn.id for turn in spoken}
    if len(ids) < len(spoken) or None in ids:
        spoken = [replace(turn, id=None) for turn in spoken]
    notes += [f"cues without text ignored: {silent}"] if silent else []
    return spoken, notes + ignored_note("descriptions of sounds", sounds)


def _name_by_ids(cues: Sequence[Cue]) -> None:
    """Convert names in cue identifiers to voice tags, if all identifiers have one."""
    found = [_NAMED_ID.fullmatch(f"{cue.id} ".strip()) for cue in cues]
    for cue, match in zip(cues, found, strict=True):
        if all(found) and match and cue.lines:
            cue.lines[0] = (cue.lines[0][0], f"<v {match['name']}>{cue.lines[0][1]}")


def _name_first_lines(cues: Sequence[Cue]) -> None:
    """Convert names that are alone on the first line of every cue to voice tags, as in transcripts of Teams."""
    if all(len(cue.lines) > 1 for cue in cues) and not any(map(_names_or_marks, cues)):
        names = parse_names([strip_markup(cue.lines[0][1]) for cue in cues])
        if names and len(set(names)) < len(names):
            for cue, name in zip(cues, names, strict=True):
                cue.lines[0] = (cue.lines[0][0], f"<v {name}>")


def _names_or_marks(cue: Cue) -> bool:
    """Whether a cue has a voice tag or was written by this program; such cues do not repeat text."""
    return any(speaker for speaker, _ in split_voices(cue.text)) or _is_marked(cue)


def _is_marked(cue: Cue) -> bool:
    """Whether this program wrote a cue: its text begins with an emotion."""
    return strip_mark(split_name(strip_markup(cue.text))[1])[0]


def _split_speakers(cue: Cue) -> Iterator[_CuePart]:
    """Split a cue at voice tags and marked changes of speaker."""
    ours = _is_marked(cue)  # one utterance, whose text may contain dashes and `>>`
    for speaker, markup in split_voices(cue.text):
        lines = [line for line in map(str.strip, strip_markup(markup).split("\n")) if line]
        for part, changed in [(lines, False)] if speaker or ours else _split_changes(lines):
            yield _CuePart(cue, speaker and tidy(speaker), part or [""], changed)
        if not lines and not speaker:
            yield _CuePart(cue, None, [""])


def _split_changes(lines: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """Split lines at dashes and `>>`; also yield whether a change of speaker precedes each part."""
    for number, part in enumerate(split_dialogue(lines)):
        cut = [split_speaker_changes(line) for line in part]
        spoken: list[tuple[list[str], bool]] = [([], number > 0)]
        for first, *others in cut:
            if first:
                spoken[-1][0].append(first)
            spoken += [([other], True) for other in others]
        yield from (piece for piece in spoken if any(piece[0]))


def without_name(speaker: str, line: str) -> str:
    """A line without the name of its speaker at the start, which the voice tag says already."""
    found = find_candidate(line)
    return found.rest if found and speaker in (found.name, without_remark(found.name)) else line


def _split_names(part: _CuePart, names: Collection[str]) -> Iterator[tuple[Turn, bool]]:
    """The turns of a part, one for each name in it, and whether they have the mark of an emotion."""
    parts: list[tuple[str | None, list[str]]] = []
    name: str | None
    for line in part.lines:
        if part.speaker is not None:  # the text can repeat the name of the voice tag
            name, words = part.speaker, without_name(part.speaker, line)
        else:
            name, words = split_name(line, names)
        if parts and (name is None or part.speaker):
            parts[-1][1].append(words)
        else:
            parts.append((name, [words]))
    for number, (name, lines) in enumerate(parts):
        whole = tidy(" ".join(lines))
        marked, label, review, text = strip_mark(whole)
        cue, changed = part.cue, part.changed and number == 0 and name is None
        turn = Turn(cue.line, text or None, name, cue.start, cue.end, cue.id, label, changed=changed, review=review)
        if prediction := mark_prediction(whole):
            turn = replace(turn, prediction=prediction)
        yield turn, marked
