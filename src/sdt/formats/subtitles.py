"""SRT and WebVTT: cues with times; the speaker is in a voice tag (`<v Ann>`) or in "ANN:" at the beginning.

Tags, positions and comments are removed and the lines of a cue joined. Dialogue dashes, `>>`, several voices or several
names in one cue make as many utterances, which share its times. Descriptions of sounds are left out, and what captions
show again (see `sdt.formats.rolling`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.headers import names_alone
from sdt.formats.markup import changes_of_speaker, dialogue, plain, unmarked, voices
from sdt.formats.names import detect_names, find_candidate, split_name, without_remark
from sdt.formats.notices import is_sound, left_out
from sdt.formats.rolling import Cue, Lines, unroll
from sdt.formats.times import parse_seconds
from sdt.formats.transcript import Turn, tidy

_TIMING = re.compile(r"(\S+?)\s*-->\s*(\S+)(?:\s.*)?$")
_TIMING_ANYWHERE = re.compile(r"\d+:\d+[\d:.,]*\s*-->\s*\d+:\d+")
_NAMED_ID = re.compile(r"\d+\s+\"(?P<name>[^\"]{1,60})\"(?:\s+\(\d+\))?")
"""As Webex identifies a cue: `12 "Ann Lee" (3232)`."""
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


@dataclass(frozen=True, slots=True)
class _Said:
    """What one speaker says in a cue."""

    cue: Cue
    speaker: str | None
    lines: list[str]
    changed: bool = False
    """Whether it is somebody else than before."""


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
    rest = first[1:] if headed else first
    if rest and (not headed or any("-->" in line for _, line in rest)):
        blocks.insert(0, rest)
    cues, stray = _cues(path, blocks, webvtt=True)
    turns, notes = _turns(cues)
    if not headed:
        notes.append("the first line is not WEBVTT: read as if it were")
    if stray:
        notes.append(f"lines outside of cues left out: {len(stray)}, the first is line {stray[0][0]}")
    return turns, notes


def _blocks(text: str, *, webvtt: bool) -> Iterator[Lines]:
    """The stretches between empty lines. In WebVTT a line of blanks is not empty: captions of YouTube have some."""
    block: Lines = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            block.append((number, line.strip()))
        elif block and not (webvtt and line):
            yield block
            block = []


def _cues(path: Path, blocks: Iterator[Lines] | Sequence[Lines], *, webvtt: bool) -> tuple[list[Cue], Lines]:
    """The cues, and the lines that belong to none."""
    cues: list[Cue] = []
    stray: Lines = []
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
            f"{path}, line {number}: {quoted(line[:60])} is not the time of a cue; expected 00:00:01,000 --> "
            "00:00:02,500"
        )
    if end < start:
        raise InputError(f"{path}, line {number}: end {end} comes before start {start}")
    return start, end


def _turns(cues: list[Cue]) -> tuple[list[Turn], list[str]]:
    _name_by_ids(cues)
    notes = [] if any(map(_names_or_marks, cues)) else unroll(cues)
    _name_first_lines(cues)
    said = [part for cue in cues for part in _said(cue)]
    names = detect_names(
        [part.lines[0] for part in said if part.speaker is None],
        capitals=True,
        changes=[part.lines[0] for part in said if part.changed],
    )
    spoken: list[Turn] = []
    silent, sounds = 0, []
    for turn, marked in (turn for part in said for turn in _named(part, names)):
        if marked or (turn.text and not is_sound(turn.text)):
            spoken.append(turn)
        elif turn.text:
            sounds.append(turn.line)
        else:
            silent += 1
    ids = {turn.id for turn in spoken}
    if len(ids) < len(spoken) or None in ids:
        spoken = [replace(turn, id=None) for turn in spoken]
    notes += [f"cues without words left out: {silent}"] if silent else []
    return spoken, notes + left_out("descriptions of sounds", sounds)


def _name_by_ids(cues: Sequence[Cue]) -> None:
    """Make voice tags of the names in identifiers, where all have one."""
    found = [_NAMED_ID.fullmatch(f"{cue.id} ".strip()) for cue in cues]
    for cue, match in zip(cues, found, strict=True):
        if all(found) and match and cue.lines:
            cue.lines[0] = (cue.lines[0][0], f"<v {match['name']}>{cue.lines[0][1]}")


def _name_first_lines(cues: Sequence[Cue]) -> None:
    """Make voice tags of names that stand alone on the first line of every cue, as in transcripts of Teams."""
    if all(len(cue.lines) > 1 for cue in cues) and not any(map(_names_or_marks, cues)):
        names = names_alone([plain(cue.lines[0][1]) for cue in cues])
        if names and len(set(names)) < len(names):
            for cue, name in zip(cues, names, strict=True):
                cue.lines[0] = (cue.lines[0][0], f"<v {name}>")


def _names_or_marks(cue: Cue) -> bool:
    """Whether a cue has a voice tag or was written by this program: such captions do not roll."""
    return any(speaker for speaker, _ in voices(cue.text)) or _is_marked(cue)


def _is_marked(cue: Cue) -> bool:
    """Whether this program wrote a cue: its text begins with an emotion."""
    return unmarked(split_name(plain(cue.text))[1])[0]


def _said(cue: Cue) -> Iterator[_Said]:
    ours = _is_marked(cue)  # one utterance, whose text may contain dashes and `>>`
    for speaker, markup in voices(cue.text):
        lines = [line for line in map(str.strip, plain(markup).split("\n")) if line]
        for part, changed in [(lines, False)] if speaker or ours else _parts(lines):
            yield _Said(cue, speaker and tidy(speaker), part or [""], changed)
        if not lines and not speaker:
            yield _Said(cue, None, [""])


def _parts(lines: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """The lines of several speakers, and whether it is somebody else than before."""
    for number, part in enumerate(dialogue(lines)):
        cut = [changes_of_speaker(line) for line in part]
        spoken: list[tuple[list[str], bool]] = [([], number > 0)]
        for first, *others in cut:
            if first:
                spoken[-1][0].append(first)
            spoken += [([other], True) for other in others]
        yield from (piece for piece in spoken if any(piece[0]))


def _named(said: _Said, names: Collection[str]) -> Iterator[tuple[Turn, bool]]:
    """The turns of a part, one for each name in it, and whether this program has marked them with an emotion."""
    parts: list[tuple[str | None, list[str]]] = []
    name: str | None
    for line in said.lines:
        if said.speaker is not None:  # who may be named in the words again
            found = find_candidate(line)
            again = found is not None and said.speaker in (found.name, without_remark(found.name))
            name, words = (said.speaker, found.words if found and again else line)
        else:
            name, words = split_name(line, names)
        if parts and (name is None or said.speaker):
            parts[-1][1].append(words)
        else:
            parts.append((name, [words]))
    for number, (name, lines) in enumerate(parts):
        marked, label, review, text = unmarked(tidy(" ".join(lines)))
        cue, changed = said.cue, said.changed and number == 0 and name is None
        turn = Turn(cue.line, text or None, name, cue.start, cue.end, cue.id, label, changed=changed, review=review)
        yield turn, marked
