"""Reading a transcript of any format, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sdt.conversation import Conversation
from sdt.errors import InputError, near_miss, quoted
from sdt.formats.decoding import Decoded, check_lines, decode
from sdt.formats.documents import is_whisper, read_document
from sdt.formats.plain import read_plain
from sdt.formats.subtitles import read_srt, read_webvtt
from sdt.formats.tables import is_table, read_csv_table, read_json_lines
from sdt.formats.transcript import Transcript, Turn, assemble
from sdt.formats.unread import unread_json, unread_text

_TIME = r"\d+:\d+[\d:.,]*"


@dataclass(frozen=True)
class Format:
    """A format that is read."""

    name: str
    suffixes: tuple[str, ...]
    """What names of its files end with."""
    is_this: Callable[[Decoded], bool]
    """Whether a text is of this format, by how it begins."""
    certain: bool
    """Whether that says more than the file's name."""
    read: Callable[[Path, Decoded], tuple[list[Turn], list[str]]]
    """Its turns, and notes."""


def _first_lines(decoded: Decoded) -> list[str]:
    return [line for line in decoded.text.lstrip().split("\n", 8)[:8] if line.strip()]


def _is_webvtt(decoded: Decoded) -> bool:
    return re.match(r"WEBVTT\b", decoded.text.lstrip()) is not None


def _is_srt(decoded: Decoded) -> bool:
    cue = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s+[A-Za-z]\w*:\S+)*\s*")
    return any(cue.fullmatch(line) for line in _first_lines(decoded)[:2])


def _is_cue_a_line(decoded: Decoded) -> bool:
    return re.match(rf"{_TIME}\s*-->\s*{_TIME}\s", _first_lines(decoded)[0]) is not None


def _is_document(decoded: Decoded) -> bool:
    value = decoded.document
    return isinstance(value, list) or is_whisper(value) or (value is not None and "\n" in decoded.text.strip())


def _is_json_lines(decoded: Decoded) -> bool:
    return re.match(r"\{\s*[\"}]|\[\s*\{", decoded.text.lstrip()) is not None


FORMATS = (
    Format("vtt", (".vtt",), _is_webvtt, True, lambda path, decoded: read_webvtt(path, decoded.text)),
    Format("srt", (".srt",), _is_srt, True, lambda path, decoded: read_srt(path, decoded.text)),
    Format("txt", (".txt",), _is_cue_a_line, True, lambda path, decoded: read_plain(path, decoded.text)),
    Format(
        "json",
        (".json",),
        _is_document,
        True,
        lambda path, decoded: read_document(path, decoded.document),
    ),
    Format(
        "jsonl",
        (".jsonl", ".ndjson"),
        _is_json_lines,
        False,
        lambda path, decoded: read_json_lines(path, decoded.encoding),
    ),
    Format(
        "csv",
        (".csv", ".tsv"),
        lambda decoded: is_table(_first_lines(decoded)[0]),
        False,
        lambda path, decoded: read_csv_table(path, decoded.encoding),
    ),
)
"""What is read, in the order in which it is looked for. Anything else is plain text."""
NAMES = tuple(format.name for format in FORMATS)
SUFFIXES = tuple(suffix for format in FORMATS for suffix in format.suffixes if suffix != ".json")
"""What the names of transcripts in a folder end with; `.json` is too common there to be one."""


def read_transcript(path: Path, *, format: str | None = None, encoding: str | None = None) -> Transcript:
    """Read the conversation, or conversations, of a file.

    Args:
        path: A file of plain text, CSV, TSV, JSON Lines, SRT or WebVTT; or JSON of Whisper.
        format: One of `NAMES`, `csv` for TSV too; None to tell by the content and the file's suffix.
        encoding: The file's encoding; None to tell it.

    Returns:
        The conversations; where the file does not name them, one with the name of the file. Times are in seconds.

    Raises:
        InputError: In one line, what is wrong with which line of the file; or which format it has that is not read.

    Example:
        >>> transcript = read_transcript(Path("chat.txt"))  # doctest: +SKIP
        >>> transcript.conversations[0].utterances[0].speaker  # doctest: +SKIP
        'Monica'
    """
    if format is not None and format not in NAMES:
        raise InputError(f"format {quoted(format)} is unknown{near_miss(format, NAMES)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    decoded = decode(path, encoding)
    chosen = _named(format) if format else recognise(path, decoded)
    if chosen.name != "json":
        check_lines(path, decoded.text)
    turns, notes = chosen.read(path, decoded)
    return assemble(path, turns, decoded.notes + notes)


def recognise(path: Path, decoded: Decoded) -> Format:
    """The format of a file: by its content where that is certain, by its suffix, and else by its content.

    Raises:
        InputError: It has a format that is not read.
    """
    title = unread_text(decoded.text) or unread_json(decoded.first_value)
    if title:
        raise InputError(
            f"{path}: holds {title}; this format is not read, so convert it to txt, csv, jsonl, srt or vtt"
        )
    suffix = path.suffix.lower()
    for format in FORMATS:
        if format.certain and format.is_this(decoded):
            return _named("vtt") if (format.name, suffix) == ("srt", ".vtt") else format  # whose first line is missing
    told = [format for format in FORMATS if suffix in format.suffixes and suffix not in (".txt", ".json")]
    likely = told or [format for format in FORMATS if format.is_this(decoded)]
    return likely[0] if likely else _named("txt")


def read_transcripts(folder: Path, *, encoding: str | None = None) -> Transcript:
    """Read all transcripts of a folder, but not of the folders in it.

    Each file is one conversation with the name of the file, unless it names conversations itself. Files of other kinds
    (recordings may lie beside their transcripts) are left aside.

    Raises:
        InputError: The folder has no transcripts, two of its conversations have the same name, or see
            `read_transcript`.
    """
    conversations: list[Conversation] = []
    clips: dict[tuple[str, str], Path] = {}
    notes: list[str] = []
    for part in each_transcript(folder, encoding=encoding):
        conversations += part.conversations
        clips |= part.clips
        notes += part.notes
    return Transcript(conversations, clips, notes)


def each_transcript(folder: Path, *, encoding: str | None = None) -> Iterator[Transcript]:
    """The same, one file after the other, so that they need not be in memory together."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    files = sorted(file for file in folder.iterdir() if _is_transcript(file))
    if not files:
        raise InputError(f"{folder}: no transcripts in this folder; they end with {', '.join(SUFFIXES)}")
    origin: dict[str, str] = {}
    for file in files:
        part = read_transcript(file, encoding=encoding)
        for conversation in part.conversations:
            if conversation.id in origin:
                raise InputError(
                    f"{file}: the conversation {quoted(conversation.id)} is in {origin[conversation.id]} already; "
                    "rename or remove one"
                )
            origin[conversation.id] = file.name
        yield part


def _is_transcript(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.suffix.lower() in SUFFIXES


def _named(name: str) -> Format:
    return next(format for format in FORMATS if format.name == name)
