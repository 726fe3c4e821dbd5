"""Reader of plain text: `Speaker: text` or `Speaker<TAB>text` on each line, optionally with times.

Times are written `[00:01:02]` or `[00:01.2 - 00:03.4]`. Before a name, `(00:01:02)`, `00:01:02`,
`00:01:02 --> 00:01:05` and `62.0 65.0` are accepted, too. After a name, times are in brackets: `Ann [00:01:02]:`,
`Ann: (00:01:02)`, and IEMOCAP's `Ses01F_impro01_F000 [006.29-008.23]:`. For times on separate lines see
`sdt.formats.parsing.headers`. `>>` marks a change of speaker. A tab separates speakers if every line has exactly one.

Dates before messages become a field of the utterance, because they are not relative to a recording. Ignored are times
of day (`[10:05 AM] Ann: Hi`, and Zoom's `10:05:22 From Ann to Everyone: Hi`), times of sections on separate lines, and
the notices of messengers, which are messages without a name.

A line without a speaker or a time continues the previous utterance. In a file without any speakers and times, every
line is an utterance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.cues import timestamp
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.headers import Block, HeaderedText, find_headers, parse_header, parse_names
from sdt.formats.parsing.heads import TIME, first_lines
from sdt.formats.parsing.message_dates import resolve_dates
from sdt.formats.parsing.names import NameDetector, detect_names, find_candidate, split_name
from sdt.formats.parsing.notices import (
    ignored_note,
    is_footer,
    is_omitted,
    is_omitted_message,
    is_sound,
    remove_sounds,
    strip_edited_mark,
    strip_reply,
)
from sdt.formats.parsing.plain_lines import CHAT, SECTION, PlainLine, parse_line, parse_lines, time_after_name
from sdt.formats.transcript import Transcript, Turn, tidy

SENT = "sent"
"""The field with the date and time of a message, as `2024-03-12T22:15:00`."""
_NUMBER = re.compile(r"(?:\(?(\d{1,5})[.):]|(\d{1,5}))\s+(?=\S)")


def read_plain(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of a plain text, and notes.

    Raises:
        InputError: A time in brackets at the beginning of a line is invalid.
    """
    every = [line.strip() for line in text.split("\n")]
    raw = [(n, line) for n, line in enumerate(every, start=1) if line]
    footer = [number for number, line in raw[-2:] if is_footer(line)]
    raw = [(number, line) for number, line in raw if number not in footer]
    chat = bool(raw) and CHAT.fullmatch(raw[0][1]) is not None
    notes: list[str] = []
    if not (turns := _tab_separated(raw)):
        with_headers = None if chat else find_headers(raw, [n > 1 and not every[n - 2] for n, _ in raw])
        turns, notes = _under_headers(with_headers) if with_headers else _line_by_line(path, raw)
    if next((turn.start for turn in turns if turn.start is not None), 0) >= 3600:
        notes.append("the first time is later than an hour: times of day do not match the times of a recording")
    if chat:
        turns = [replace(turn, text=strip_reply(turn.text or "")) for turn in turns]
    notes += ignored_note("utterances without text", [turn.line for turn in turns if not turn.text])
    turns, sounds = remove_sounds([turn for turn in turns if turn.text])
    return turns, notes + sounds + ignored_note("lines that name the tool", footer)


def _tab_separated(raw: Sequence[tuple[int, str]]) -> list[Turn]:
    """The turns of lines `Speaker<TAB>text`; empty unless all lines have this form and the names can be speakers.

    As elsewhere in this format, names must be short, and recur or be capitalised.
    """
    cells = [line.split("\t") for _, line in raw]
    if any(len(line) != 2 for line in cells):
        return []
    names = parse_names([name for name, _ in cells])
    if not names or not all(re.search(r"[^\W\d_]", name) for name in names):  # numbers count the lines
        return []
    return [Turn(number, tidy(text), name) for (number, _), (_, text), name in zip(raw, cells, names, strict=True)]


def _under_headers(found: HeaderedText) -> tuple[list[Turn], list[str]]:
    turns = []
    sounds: list[int] = []
    for block in found.blocks:
        spoken = [(number, text) for number, text in block.lines if not is_sound(text)]
        if spoken:
            sounds += [number for number, text in block.lines if is_sound(text)]
        words = tidy(" ".join(text for _, text in spoken or block.lines))
        turns.append(Turn(block.line, words, block.name, block.start, block.end))
    notes = ignored_note("lines above the first speaker or time", found.before)
    return turns, notes + ignored_note("descriptions of sounds", sounds)


def _line_by_line(path: Path, raw: Sequence[tuple[int, str]]) -> tuple[list[Turn], list[str]]:
    raw, notes = _strip_numbers(path, raw)
    lines = [line for number, text in raw for line in parse_lines(path, number, text)]
    if sum(line.changed for line in lines) == 1:  # it may be a quotation
        lines = [parse_line(path, number, text) for number, text in raw]
    timed = any(line.begins for line in lines)
    # In a file with times, a line without a time continues an utterance, so that it does not start with a name.
    names = detect_names(
        [line.text for line in lines if line.speaker is None and (not timed or line.begins)],
        changes=[line.text for line in lines if line.changed],
    )
    messages = any(line.dated and split_name(line.text, names)[0] for line in lines)
    chat = messages and lines[0].dated  # then every message has a date, and other lines continue one
    turns: list[tuple[str | None, list[PlainLine]]] = []
    notices, headings, sounds, sections = [], [], [], []
    for line in lines:
        name, words = (line.speaker, line.text) if line.speaker else split_name(line.text, names)
        if chat and not line.dated:
            name, words = None, line.text
        parsed = replace(time_after_name(line, words), text=strip_edited_mark(words)) if name else line
        omitted = is_omitted(parsed.text) or (line.dated and is_omitted_message(parsed.text))
        if (messages and line.dated and name is None) or line.notice or omitted:
            notices.append(line.number)
        elif names and name is None and not line.begins and re.match(r"#+\s", line.text):
            headings.append(line.number)
        elif names and name is None and not line.begins and SECTION.fullmatch(line.text):
            sections.append(line.number)
        elif turns and name is None and not line.begins and (names or timed) and is_sound(line.text):
            sounds.append(line.number)
        elif turns and name is None and not line.begins and (names or timed):
            turns[-1][1].append(parsed)
        else:
            turns.append((name, [parsed]))
    title = []
    if sections and turns and turns[0][0] is None and turns[0][1][-1].number < sections[0]:
        title = [line.number for line in turns.pop(0)[1]]
    dates, uncertain = resolve_dates([parts[0].sent for _, parts in turns])
    if uncertain:
        notes.append("dates before messages ignored: day/month or month/day is uncertain")
    elif timeless := sum(line.dated and line.sent is None for line in lines):
        notes.append(f"times of day before messages ignored: {timeless}")
    notes += ignored_note("notices and omitted media", notices) + ignored_note("headings (#)", headings)
    notes += ignored_note("descriptions of sounds", sounds) + ignored_note("times of sections", sections)
    notes += ignored_note("lines above the first speaker or time", title)
    return [_turn(name, parts, sent) for (name, parts), sent in zip(turns, dates, strict=True)], notes


class PlainLines:
    """Reads live plain text: every line is an utterance; a line without a name has the previous speaker.

    Speaker names are detected by the rules for files (see `sdt.formats.parsing.names`), applied to the lines so far.
    """

    def __init__(self) -> None:
        self._names = NameDetector()
        self._header: Block | None = None

    def turn(self, path: Path, number: int, text: str) -> Turn | None:
        """Read the turn of a non-blank line; its text is empty if the line is only a name, a time or a sound.

        Returns:
            The turn; None for a header, a name with a time that belongs to the next line.

        Raises:
            InputError: A time in brackets at the beginning of the line is invalid.
        """
        if block := parse_header((number, text.strip())):
            self._header = block
            return None
        line = parse_line(path, number, text.strip())
        if (block := self._header) and line.speaker is None and not line.begins:
            line = replace(line, speaker=block.name, start=block.start, end=block.end)
        self._header = None
        if line.speaker is None:
            self._names.add(line.text)
        name, words = (line.speaker, line.text) if line.speaker else split_name(line.text, self._names.accepted())
        parsed = time_after_name(line, words) if name else line
        silent = line.notice or is_omitted(parsed.text) or is_sound(tidy(parsed.text))
        return _turn(name, [replace(parsed, text="") if silent else parsed])


def _turn(name: str | None, lines: Sequence[PlainLine], sent: str | None = None) -> Turn:
    text, first = tidy(" ".join(line.text for line in lines)), lines[0]
    extra = {SENT: sent} if sent else {}
    return Turn(first.number, text, name, first.start, first.end, first.id, extra=extra, changed=first.changed)


def _strip_numbers(path: Path, raw: Sequence[tuple[int, str]]) -> tuple[Sequence[tuple[int, str]], list[str]]:
    """Remove consecutive numbers before lines, if recurring names follow them; those of a numbered list stay.

    Numbers without a full stop or bracket are only removed if every line has one.
    """
    found = [_NUMBER.match(text) for _, text in raw]
    numbers = [int(match[1] or match[2]) for match in found if match]
    if (
        len(numbers) < 2
        or not found[0]
        or numbers != list(range(numbers[0], numbers[0] + len(numbers)))
        or not (all(found) or all(match[1] for match in found if match))
    ):
        return raw, []
    bare = [(n, text[match.end() :] if match else text) for (n, text), match in zip(raw, found, strict=True)]
    names = Counter(name.name for n, text in bare if (name := find_candidate(parse_line(path, n, text).text)))
    if max(names.values(), default=0) < 2:
        return raw, []
    return bare, [f"line numbers ignored: {len(numbers)}"]


def matches(decoded: Decoded) -> bool:
    """Whether each line is a cue with its times; anything can be plain text, the default."""
    return re.match(rf"{TIME}\s*-->\s*{TIME}\s", first_lines(decoded)[0]) is not None


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """Lines `[00:01:02.500] Ann: Hi`, for one conversation."""
    if len(transcript.conversations) > 1:
        raise InputError(f"{path or '-'}: txt holds one conversation, but there are several; write jsonl or csv")
    for _, utterance, _ in transcript.rows():
        time = "" if utterance.start is None else f"[{timestamp(round(1000 * utterance.start), '.')}] "
        yield f"{time}{tidy(utterance.speaker)}: {tidy(utterance.text or '')}\n"


PLAIN = Format(
    "txt",
    (".txt",),
    matches,
    certain=True,
    read=lambda path, decoded: read_plain(path, decoded.text),
    write=write,
    title="plain text",
    holds=Holds.SPEAKERS
    | Holds.SPACES
    | Holds.TEXT
    | Holds.STARTS
    | Holds.OPEN_ENDS
    | Holds.UNTIMED
    | Holds.OVERLAPS
    | Holds.TIES
    | Holds.ORDER,
    step=0.001,
    primary=True,
)
