"""Reading a transcript of any format, or a folder of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from sdt.conversation import Conversation
from sdt.errors import InputError, near_miss
from sdt.transcripts.decoding import decode
from sdt.transcripts.plain import read_plain
from sdt.transcripts.subtitles import read_srt, read_webvtt
from sdt.transcripts.tables import is_table, read_csv_table, read_json_array, read_json_lines
from sdt.transcripts.transcript import Transcript, assemble

Format = Literal["txt", "csv", "jsonl", "json", "srt", "vtt"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".srt": "srt",
    ".vtt": "vtt",
}
"""What a file's name says about its format; `.txt` says nothing, since every format is text."""


def read_transcript(path: Path, *, format: str | None = None) -> Transcript:
    """Read the conversation, or conversations, of a file.

    Args:
        path: A file of plain text, CSV, TSV, JSON Lines, SRT or WebVTT; or a JSON array of objects.
        format: `txt`, `csv` (TSV too), `jsonl`, `json`, `srt` or `vtt`; None to tell by the file's suffix, and for
            other suffixes by its content.

    Returns:
        The conversations; where the file does not name them, one with the name of the file. Times are in seconds.

    Raises:
        InputError: In one line, what is wrong with which line of the file.

    Example:
        >>> transcript = read_transcript(Path("chat.txt"))  # doctest: +SKIP
        >>> transcript.conversations[0].utterances[0].speaker  # doctest: +SKIP
        'Monica'
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format {format!r} is unknown{near_miss(format, FORMATS)}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    decoded = decode(path)
    match format or SUFFIXES.get(path.suffix.lower()) or recognise(path, decoded.text):
        case "csv":
            turns, notes = read_csv_table(path, decoded.text, decoded.encoding)
        case "jsonl":
            turns, notes = read_json_lines(path, decoded.encoding)
        case "json":
            turns, notes = read_json_array(path, decoded.text)
        case "srt":
            turns, notes = read_srt(path, decoded.text)
        case "vtt":
            turns, notes = read_webvtt(path, decoded.text)
        case _:
            turns, notes = read_plain(path, decoded.text)
    return assemble(path, turns, decoded.notes + notes)


def read_transcripts(folder: Path) -> Transcript:
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
    for part in each_transcript(folder):
        conversations += part.conversations
        clips |= part.clips
        notes += part.notes
    return Transcript(conversations, clips, notes)


def each_transcript(folder: Path) -> Iterator[Transcript]:
    """The same, one file after the other, so that they need not be in memory together."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    files = sorted(file for file in folder.iterdir() if _is_transcript(file))
    if not files:
        raise InputError(f"{folder}: no transcripts in this folder; they end with .txt, {', '.join(SUFFIXES)}")
    origin: dict[str, str] = {}
    for file in files:
        part = read_transcript(file)
        for conversation in part.conversations:
            if conversation.id in origin:
                raise InputError(
                    f"{file}: the conversation {conversation.id!r} is in {origin[conversation.id]} already; "
                    "rename or remove one"
                )
            origin[conversation.id] = file.name
        yield part


def recognise(path: Path, text: str) -> Format:
    """The format of a text, by how it begins.

    Raises:
        InputError: It is a JSON value that is neither an object on each line nor an array.
    """
    lines = [line for line in text.lstrip().split("\n", 8)[:8] if line.strip()]
    if lines[0].startswith("WEBVTT"):
        return "vtt"
    if any(re.match(r"\s*\d+:[\d:.,]+\s*-->", line) for line in lines[:2]):
        return "srt"
    if lines[0].startswith("{"):
        if _is_object(lines[0]):
            return "jsonl"
        raise InputError(
            f"{path}, line 1: begins as JSON does, but JSON Lines have a whole object {{...}} on each line"
        )
    if re.match(r"\[\s*[{\]]", text.lstrip()):
        return "json"
    return "csv" if is_table(lines[0]) else "txt"


def _is_transcript(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.suffix.lower() in (".txt", *SUFFIXES)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
