"""Readers of transcripts: the table of formats, and the detection of a file's format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
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
from sdt.formats.unsupported import unsupported_json, unsupported_text
from sdt.plugins import Registry

_TIME = r"\d+:\d+[\d:.,]*"


@dataclass(frozen=True)
class Format:
    """An entry of the table of transcript formats.

    A package registers its formats in the entry point group `sdt.formats`, under their names.
    """

    name: str
    suffixes: tuple[str, ...]
    """The suffixes of its files, in lower case."""
    matches: Callable[[Decoded], bool]
    """Whether a text has this format, judged by its first lines."""
    certain: bool
    """Whether `matches` takes precedence over the suffix of the file."""
    read: Callable[[Path, Decoded], tuple[list[Turn], list[str]]]
    """Reads the turns, and notes for the user."""


def _first_lines(decoded: Decoded) -> list[str]:
    return [line for line in decoded.text.lstrip().split("\n", 8)[:8] if line.strip()]


def _is_webvtt(decoded: Decoded) -> bool:
    return re.match(r"WEBVTT\b", decoded.text.lstrip()) is not None


def _is_srt(decoded: Decoded) -> bool:
    cue = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s+[A-Za-z]\w*:\S+)*\s*")
    return any(cue.fullmatch(line) for line in _first_lines(decoded)[:2])


def _has_cue_per_line(decoded: Decoded) -> bool:
    return re.match(rf"{_TIME}\s*-->\s*{_TIME}\s", _first_lines(decoded)[0]) is not None


def _is_document(decoded: Decoded) -> bool:
    value = decoded.document
    return isinstance(value, list) or is_whisper(value) or (value is not None and "\n" in decoded.text.strip())


def _is_json_lines(decoded: Decoded) -> bool:
    return re.match(r"\{\s*[\"}]|\[\s*\{", decoded.text.lstrip()) is not None


_BUILTIN = (
    Format("vtt", (".vtt",), _is_webvtt, True, lambda path, decoded: read_webvtt(path, decoded.text)),
    Format("srt", (".srt",), _is_srt, True, lambda path, decoded: read_srt(path, decoded.text)),
    Format("txt", (".txt",), _has_cue_per_line, True, lambda path, decoded: read_plain(path, decoded.text)),
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
FORMATS = Registry("sdt.formats", Format, {format.name: format for format in _BUILTIN})
"""Every format by name, in the order of detection; formats of installed packages follow. The default is plain text."""
NAMES = tuple(FORMATS.builtin)
SUFFIXES = tuple(suffix for format in _BUILTIN for suffix in format.suffixes if suffix != ".json")
"""The suffixes of transcripts in a folder; `.json` is too common to be one of them."""


def read_transcript(path: Path, *, format: str | None = None, encoding: str | None = None) -> Transcript:
    """Read the conversations of a file.

    Args:
        path: A file of plain text, CSV, TSV, JSON Lines, SRT or WebVTT, or the JSON output of Whisper.
        format: A name of `FORMATS` (`csv` includes TSV); None detects it by the content and the suffix.
        encoding: The encoding of the file; None detects it.

    Returns:
        The conversations. If the file does not name any, it is one conversation with the name of the file. Times are
        in seconds.

    Raises:
        InputError: The file is damaged, or its format is not supported; the message names the line.

    Example:
        >>> transcript = read_transcript(Path("chat.txt"))  # doctest: +SKIP
        >>> transcript.conversations[0].utterances[0].speaker  # doctest: +SKIP
        'Monica'
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format {quoted(format)} is unknown{near_miss(format, FORMATS)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    decoded = decode(path, encoding)
    reader = FORMATS[format] if format else detect_format(path, decoded)
    if reader.name != "json":
        check_lines(path, decoded.text)
    turns, notes = reader.read(path, decoded)
    return assemble(path, turns, decoded.notes + notes)


def detect_format(path: Path, decoded: Decoded) -> Format:
    """Detect the format of a file: by certain content, or else by its suffix, or else by its content.

    Raises:
        InputError: The format is known but not supported.
    """
    title = unsupported_text(decoded.text) or unsupported_json(decoded.first_value)
    if title:
        raise InputError(
            f"{path}: contains {title}; this format is not supported, so convert it to txt, csv, jsonl, srt or vtt"
        )
    suffix = path.suffix.lower()
    for format in _BUILTIN:
        if format.certain and format.matches(decoded):  # a file .vtt without its first line looks like SRT
            return FORMATS["vtt"] if (format.name, suffix) == ("srt", ".vtt") else format
    # Packages are only imported for suffixes that no built-in format has.
    builtin = suffix in (*SUFFIXES, ".json")
    formats = _BUILTIN if builtin else tuple(FORMATS.values())
    by_suffix = [format for format in formats if suffix in format.suffixes and suffix not in (".txt", ".json")]
    likely = by_suffix or [format for format in formats if format.matches(decoded)]
    return likely[0] if likely else FORMATS["txt"]


def read_transcripts(folder: Path, *, encoding: str | None = None) -> Transcript:
    """Read all transcripts of a folder, without its subfolders.

    A file is one conversation with the name of the file, unless it names conversations. Files with other suffixes, such
    as recordings, are ignored.

    Raises:
        InputError: The folder has no transcripts, two conversations have the same name, or see `read_transcript`.
    """
    conversations: list[Conversation] = []
    clips: dict[tuple[str, str], Path] = {}
    notes: list[str] = []
    for part in iter_transcripts(folder, encoding=encoding):
        conversations += part.conversations
        clips |= part.clips
        notes += part.notes
    return Transcript(conversations, clips, notes)


def iter_transcripts(folder: Path, *, encoding: str | None = None) -> Iterator[Transcript]:
    """Read the transcripts of a folder file by file; see `read_transcripts`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: folder not found")
    suffixes = transcript_suffixes()
    files = sorted(file for file in folder.iterdir() if is_transcript(file, suffixes))
    if not files:
        raise InputError(f"{folder}: no transcripts in this folder; they end with {', '.join(suffixes)}")
    origin: dict[str, str] = {}
    for file in files:
        part = read_transcript(file, encoding=encoding)
        for conversation in part.conversations:
            if conversation.id in origin:
                raise InputError(
                    f"{file}: conversation {quoted(conversation.id)} also occurs in {origin[conversation.id]}; rename "
                    "or remove one"
                )
            origin[conversation.id] = file.name
        yield part


def transcript_suffixes() -> tuple[str, ...]:
    """The suffixes of transcripts in a folder, including those of formats of installed packages."""
    extensions = (FORMATS[name] for name in FORMATS if name not in FORMATS.builtin)
    return (*SUFFIXES, *(suffix for format in extensions for suffix in format.suffixes))


def is_transcript(file: Path, suffixes: Sequence[str]) -> bool:
    """Whether a file of a folder is a transcript, by its suffix."""
    return file.is_file() and not file.name.startswith(".") and file.suffix.lower() in suffixes
