"""Reader of plain text: `Speaker: text` or `Speaker<TAB>text` on each line, optionally with times.

Times are written `[00:01:02]` or `[00:01.2 - 00:03.4]`. Before a name, `(00:01:02)`, `00:01:02`,
`00:01:02 --> 00:01:05` and `62.0 65.0` are accepted, too. After a name, times are in brackets: `Ann [00:01:02]:`,
`Ann: (00:01:02)`, and IEMOCAP's `Ses01F_impro01_F000 [006.29-008.23]:`. For times on separate lines see
`sdt.formats.parsing.headers`. `>>` marks a change of speaker. A tab separates speakers if every line has exactly one.

Ignored are dates before messages, times of day (`[10:05 AM] Ann: Hi`, and Zoom's `10:05:22 From Ann to Everyone: Hi`)
and times of sections on separate lines, because they are not relative to a recording; and the notices of messengers,
which are messages without a name.

A line without a speaker or a time continues the previous utterance. In a file without any speakers and times, every
line is an utterance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdt.errors import InputError
from sdt.formats.cues import timestamp
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.headers import Block, HeaderedText, find_headers, parse_header, parse_names
from sdt.formats.parsing.heads import TIME, first_lines
from sdt.formats.parsing.markup import split_speaker_changes
from sdt.formats.parsing.names import NameDetector, detect_names, find_candidate, is_capitalised, split_name
from sdt.formats.parsing.notices import ignored_note, is_footer, is_omitted, is_sound, remove_sounds, strip_edited_mark
from sdt.formats.parsing.times import parse_seconds
from sdt.formats.transcript import Transcript, Turn, tidy

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
_SECTION = re.compile(_TIME)
_CHAT = re.compile(
    r"\d\d:\d\d:\d\d\s+From\s+(?P<name>\S.{0,60}?)(?:\s+to\s+.{1,60}?)?\s*:(?:\s+(?P<words>.*))?", re.IGNORECASE
)
"""A chat message of Zoom."""
_BEFORE_WORDS = re.compile(rf"[\[(]({_TIME}(?:{_TO}{_TIME})?)[\])]\s*")
_IEMOCAP = re.compile(r"Ses\d\d[FM]_\w+_([FM])\w+")
_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\.?)?"
_DAY = r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d)"
_DATE = re.compile(
    rf"(?:\[?(?:{_DAY},?\s+{_CLOCK}|{_CLOCK},\s+{_DAY})(?:\]|\s+-|(?=\s))|\[{_OF_DAY}\](?=\s*\S))\s*", re.IGNORECASE
)
"""The start of a message of WhatsApp and others: `[12/03/2024, 10:15:32] Ann: Hi`, `3/12/24, 10:15 PM - Ann: Hi`."""
_DIRECTIONS = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Invisible characters that set the direction of writing; notices of messengers begin with them."""
_RANGE = re.compile(r"\s*(?:-->|[-–—]|\bto\b)\s*|\s+")
_TIMED = re.compile(r"\d+[:.,]\d|[\d.,]+s?\s*(?:-->|[-–—]|to)\s*\d[\d.,]*s?$")
_NUMBER = re.compile(r"(?:\(?(\d{1,5})[.):]|(\d{1,5}))\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class _Line:
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

    @property
    def begins(self) -> bool:
        """Whether a date, a time or a mark shows that an utterance starts here."""
        return self.dated or self.changed or self.start is not None


def read_plain(path: Path, text: str) -> tuple[list[Turn], list[str]]:
    """Read the turns of a plain text, and notes.

    Raises:
        InputError: A time in brackets at the beginning of a line is invalid.
    """
    every = [line.strip() for line in text.split("\n")]
    raw = [(n, line) for n, line in enumerate(every, start=1) if line]
    footer = [number for number, line in raw[-1:] if is_footer(line)]
    raw = raw[: len(raw) - len(footer)]
    chat = bool(raw) and _CHAT.fullmatch(raw[0][1]) is not None
    notes: list[str] = []
    if not (turns := _tab_separated(raw)):
        with_headers = None if chat else find_headers(raw, [n > 1 and not every[n - 2] for n, _ in raw])
        turns, notes = _under_headers(with_headers) if with_headers else _line_by_line(path, raw)
    if next((turn.start for turn in turns if turn.start is not None), 0) >= 3600:
        notes.append("the first time is later than an hour: times of day do not match the times of a recording")
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
    lines = [line for number, text in raw for line in _lines(path, number, text)]
    if sum(line.changed for line in lines) == 1:  # it may be a quotation
        lines = [_line(path, number, text) for number, text in raw]
    timed = any(line.begins for line in lines)
    # In a file with times, a line without a time continues an utterance, so that it does not start with a name.
    names = detect_names(
        [line.text for line in lines if line.speaker is None and (not timed or line.begins)],
        changes=[line.text for line in lines if line.changed],
    )
    messages = any(line.dated and split_name(line.text, names)[0] for line in lines)
    turns: list[tuple[str | None, list[_Line]]] = []
    notices, headings, sounds, sections = [], [], [], []
    for line in lines:
        name, words = (line.speaker, line.text) if line.speaker else split_name(line.text, names)
        parsed = replace(_time_after_name(line, words), text=strip_edited_mark(words)) if name else line
        if (messages and line.dated and name is None) or line.notice or is_omitted(parsed.text):
            notices.append(line.number)
        elif names and name is None and not line.begins and re.match(r"#+\s", line.text):
            headings.append(line.number)
        elif names and name is None and not line.begins and _SECTION.fullmatch(line.text):
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
    dated = sum(line.dated for line in lines)
    notes += [f"dates before messages ignored: {dated}"] if dated else []
    notes += ignored_note("notices and omitted media", notices) + ignored_note("headings (#)", headings)
    notes += ignored_note("descriptions of sounds", sounds) + ignored_note("times of sections", sections)
    notes += ignored_note("lines above the first speaker or time", title)
    return [_turn(name, parts) for name, parts in turns], notes


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
        line = _line(path, number, text.strip())
        if (block := self._header) and line.speaker is None and not line.begins:
            line = replace(line, speaker=block.name, start=block.start, end=block.end)
        self._header = None
        if line.speaker is None:
            self._names.add(line.text)
        name, words = (line.speaker, line.text) if line.speaker else split_name(line.text, self._names.accepted())
        parsed = _time_after_name(line, words) if name else line
        silent = line.notice or is_omitted(parsed.text) or is_sound(tidy(parsed.text))
        return _turn(name, [replace(parsed, text="") if silent else parsed])


def _turn(name: str | None, lines: Sequence[_Line]) -> Turn:
    text, first = tidy(" ".join(line.text for line in lines)), lines[0]
    return Turn(first.number, text, name, first.start, first.end, first.id, changed=first.changed)


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
    names = Counter(name.name for n, text in bare if (name := find_candidate(_line(path, n, text).text)))
    if max(names.values(), default=0) < 2:
        return raw, []
    return bare, [f"line numbers ignored: {len(numbers)}"]


def _lines(path: Path, number: int, text: str) -> list[_Line]:
    """Split a line at `>>`, which marks a change of speaker."""
    if ">>" not in text:
        return [_line(path, number, text)]
    first, *others = split_speaker_changes(text)
    lines = [_line(path, number, first)] if first else []
    return lines + [replace(_line(path, number, part), changed=True) for part in others]


def _line(path: Path, number: int, text: str) -> _Line:
    line = text if text.isascii() else text.translate(_DIRECTIONS).strip()
    if chat := _CHAT.fullmatch(line):
        return _Line(number, chat["words"] or "", dated=True, speaker=chat["name"])
    if dated := _DATE.match(line):
        return _Line(number, line[dated.end() :], dated=True, notice=bool(re.search(r":\s*\u200e", text)))
    found = _BRACKETS.match(line)
    if found and _TIMED.match(found[1].strip()):
        start, end = _times(path, number, found[1])
        return _Line(number, line[found.end() :], start, end)
    bare = _BARE.match(line)
    if bare and (_named(line[bare.end() :]) or "-->" in bare[2]):
        start, end = _times(path, number, bare[2])
        return _Line(number, line[bare.end() :], start, end)
    after = _AFTER_NAME.fullmatch(line)
    if after and (named := find_candidate(f"{after['name']}: ")):
        when: tuple[float | None, float | None] = (None, None)
        if not re.fullmatch(_OF_DAY, after["time"], re.IGNORECASE):
            when = _times(path, number, after["time"])
        iemocap = _IEMOCAP.fullmatch(named.name)
        speaker, id = (iemocap[1], named.name) if iemocap else (named.name, None)
        return _Line(number, after["words"], when[0], when[1], speaker=speaker, id=id)
    return _Line(number, line)


def _named(line: str) -> bool:
    """Whether a line probably begins with a name."""
    found = find_candidate(line)
    return found is not None and (found.shape == "plain" or is_capitalised(found.name))


def _time_after_name(line: _Line, words: str) -> _Line:
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
    holds=Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.UNTIMED | Holds.OVERLAPS | Holds.TIES | Holds.ORDER,
    primary=True,
)
