"""Decoding of transcript files, and refusal of files that are not text."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sdt.errors import InputError
from sdt.text import decode as decode_bytes
from sdt.text import repair_windows1252

MAX_BYTES = 256 * 2**20
MAX_DOCUMENT = 64 * 2**20
"""The largest number of characters of a JSON value."""
MAX_LINE = 100_000
"""The largest number of characters of a line. An hour of uninterrupted speech has about 50,000."""

_BINARY = (
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (4, b"ftyp", "an MP4 or MOV recording"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM recording"),
    (0, b"RIFF", "a WAV or AVI recording"),
    (0, b"ID3", "an MP3 recording"),
    (0, b"fLaC", "a FLAC recording"),
    (0, b"OggS", "an Ogg recording"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or office document"),
    (0, b"\xd0\xcf\x11\xe0", "an office document"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
)


@dataclass(frozen=True)
class Decoded:
    """The text of a file."""

    text: str
    r"""Without a byte order mark; every line ends with `\n` alone; Windows-1252 control characters are repaired."""
    encoding: str
    """Python's name of the encoding with which the file can be opened again. Windows-1252 is opened as Latin-1 and
    repaired afterwards, since it leaves five bytes undefined."""
    notes: list[str]

    @cached_property
    def document(self) -> object:
        """The JSON value of the whole text, if it is an object or a list of objects; otherwise None."""
        value, end = self._json
        if value is None or self.text[end:].strip():
            return None
        return value if isinstance(value, dict) or not value or any(isinstance(one, dict) for one in value) else None

    @property
    def first_value(self) -> object:
        """The JSON object or list at the start of the text, or None."""
        return self._json[0]

    @cached_property
    def _json(self) -> tuple[dict[str, object] | list[object], int] | tuple[None, None]:
        """The value at the start, and its end."""
        begin = len(self.text) - len(self.text.lstrip())
        text = self.text if len(self.text) <= MAX_DOCUMENT else self.text[: begin + MAX_LINE]
        if text[begin : begin + 1] not in ("{", "["):
            return None, None
        try:
            value, end = json.JSONDecoder().raw_decode(text, begin)
        except (ValueError, RecursionError):
            return None, None
        return value, end


def decode(path: Path, encoding: str | None = None) -> Decoded:
    """Read a text file.

    Args:
        path: The file.
        encoding: The encoding; None detects it, see `sdt.text.decode`.

    Raises:
        InputError: The file cannot be read, is not text or not in that encoding, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            for offset, magic, kind in _BINARY:
                if head.removeprefix(codecs.BOM_UTF8)[offset:].startswith(magic):
                    raise InputError(
                        f"{path}: this is {kind}, not a transcript; give a txt, csv, jsonl, srt or vtt file"
                    )
            data = head + file.read(MAX_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: exceeds the limit of {MAX_BYTES // 2**20} MiB; split it into several files")
    return decode_text(path, data, encoding)


def decode_text(path: Path, data: bytes, encoding: str | None = None) -> Decoded:
    """Decode the content of a text file, and repair Windows-1252 control characters.

    Args:
        path: The file, for error messages.
        data: Its content.
        encoding: The encoding; None detects it, see `sdt.text.decode`.

    Raises:
        InputError: The content is empty, is not text, or has another encoding.
    """
    text, encoding, note = decode_bytes(str(path), data, encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: contains a NUL byte, so it is not text")
    notes = [note] if note else []
    repaired = repair_windows1252(text)
    if repaired != text and encoding != "latin-1":
        count = sum(a != b for a, b in zip(text, repaired, strict=True))
        notes.append(f"Windows-1252 control characters repaired: {count}")
    return Decoded(repaired, encoding, notes)


def check_lines(path: Path, text: str) -> None:
    """Check that the lines of a text are not too long for a transcript.

    Raises:
        InputError: A line is longer than any utterance.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            raise InputError(
                f"{path}, line {number}: {len(line):,} characters exceed the limit of {MAX_LINE:,} for a line"
            )
