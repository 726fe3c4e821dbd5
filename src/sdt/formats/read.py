"""Readers of transcripts: detection of the format of a file, and reading of files and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sdt.conversation import Conversation, Prediction
from sdt.errors import InputError, quoted
from sdt.formats.format import Format
from sdt.formats.parsing.decoding import Decoded, check_lines, decode
from sdt.formats.table import BUILTIN, FORMATS, get_format
from sdt.formats.transcript import Transcript, assemble
from sdt.formats.unsupported import unsupported_json, unsupported_text

__all__ = ["FORMATS", "Format", "detect_format", "read_transcript", "read_transcripts"]

NAMES = tuple(name for name, format in FORMATS.builtin.items() if format.readable and format.content == "text")
SUFFIXES = tuple(suffix for one in BUILTIN if one.primary for suffix in one.suffixes if suffix != ".json")
"""The suffixes of transcripts in a folder; `.json` is too common to be one of them."""
OTHERS = tuple(
    suffix
    for one in BUILTIN
    if not one.primary and one.readable and one.content == "text"
    for suffix in one.suffixes
    if suffix not in (*SUFFIXES, ".json", ".xml")
)
"""The suffixes of transcripts in a folder that has none of `SUFFIXES`."""
_HEAD_BYTES = 4096


def read_transcript(path: Path, *, format: str | None = None, encoding: str | None = None) -> Transcript:
    """Read the conversations of a file.

    Args:
        path: A file, or the folder of a format whose files are folders.
        format: A name of `FORMATS` (`csv` includes TSV); None detects it by the content and the suffix.
        encoding: The encoding of a text file; None detects it.

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
    named = get_format(format) if format is not None else None
    if named and not named.readable:
        raise InputError(f"format {quoted(named.name)} can be written, but not read")
    found = named or detect_file(path)
    if path.is_dir() and (found is None or found.content != "folder"):
        raise InputError(f"{path}: is a folder; name a file in it")
    if found and found.content != "text":
        assert found.read_file
        return found.read_file(path)
    decoded = decode(path, encoding)
    reader = named or detect_format(path, decoded)
    if not reader.whole:
        check_lines(path, decoded.text)
    assert reader.read
    result = reader.read(path, decoded)
    if isinstance(result, tuple):
        turns, notes = result
        return assemble(path, turns, decoded.notes + notes)
    result.notes[:0] = [f"{path.name}: {note}" for note in decoded.notes]
    return result


def read_any(path: Path, *, format: str | None = None, encoding: str | None = None) -> Transcript:
    """Read a file, or a folder of transcripts; see `read_transcript` and `read_transcripts`.

    Raises:
        InputError: The file is missing or damaged.
    """
    if format is None and path.is_dir() and detect_file(path) is None:
        return read_transcripts(path, encoding=encoding)
    return read_transcript(path, format=format, encoding=encoding)


def format_of_content(path: Path, encoding: str | None = None) -> Format:
    """The format in which `read_transcript` reads a file.

    Raises:
        InputError: The file cannot be read.
    """
    return detect_file(path) or detect_format(path, decode(path, encoding))


def detect_file(path: Path) -> Format | None:
    """Detect the format of a binary file or a folder by its name and first bytes; None for text and unknown formats."""
    try:
        if path.is_dir():
            head = b""
        else:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
    except OSError:  # reading the text gives the precise error
        return None
    content = "folder" if path.is_dir() else "binary"
    formats = [format for format in BUILTIN if format.content == content]
    return next((format for format in formats if format.matches_file and format.matches_file(path, head)), None)


def detect_format(path: Path, decoded: Decoded) -> Format:
    """Detect the format of a text: by certain content, or else by the suffix of the file, or else by its content.

    Raises:
        InputError: The format is known but not supported.
    """
    texts = [format for format in BUILTIN if format.read]
    if exclusive := next((one for one in texts if one.exclusive and _matches(one, decoded)), None):
        return exclusive
    title = unsupported_text(decoded) or unsupported_json(decoded.first_value)
    if title:
        raise InputError(
            f"{path}: contains {title}; this format is not supported, so convert it to txt, csv, jsonl, srt or vtt"
        )
    suffix = path.suffix.lower()
    for format in texts:
        if format.certain and _matches(format, decoded):  # a file .vtt without its first line looks like SRT
            return FORMATS["vtt"] if (format.name, suffix) == ("srt", ".vtt") else format
    # Packages are only imported for suffixes that no built-in format has.
    builtin = any(suffix in format.suffixes for format in texts if format.primary)
    formats = texts if builtin else [format for format in FORMATS.values() if format.read]
    by_suffix = [format for format in formats if suffix in format.suffixes and suffix not in (".txt", ".json")]
    likely = by_suffix or [format for format in formats if _matches(format, decoded)]
    return likely[0] if likely else FORMATS["txt"]


def _matches(format: Format, decoded: Decoded) -> bool:
    return format.matches is not None and format.matches(decoded)


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
    predictions: list[Prediction] = []
    for part in iter_transcripts(folder, encoding=encoding):
        conversations += part.conversations
        clips |= part.clips
        notes += part.notes
        predictions += part.predictions
    return Transcript(conversations, clips, notes, predictions=predictions)


def iter_transcripts(folder: Path, *, encoding: str | None = None) -> Iterator[Transcript]:
    """Read the transcripts of a folder file by file; see `read_transcripts`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: folder not found")
    files = list_transcripts(folder)
    if not files:
        raise InputError(f"{folder}: no transcripts in this folder; they end with {', '.join(transcript_suffixes())}")
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


def list_transcripts(folder: Path) -> list[Path]:
    """The transcripts of a folder by their suffixes, sorted; annotation only if there are no transcripts."""
    files = sorted(folder.iterdir())
    found = ([file for file in files if is_transcript(file, suffixes)] for suffixes in (transcript_suffixes(), OTHERS))
    return next(filter(None, found), [])


def transcript_suffixes() -> tuple[str, ...]:
    """The suffixes of transcripts in a folder, including those of formats of installed packages."""
    extensions = (FORMATS[name] for name in FORMATS if name not in FORMATS.builtin)
    return (*SUFFIXES, *(suffix for format in extensions for suffix in format.suffixes))


def is_transcript(file: Path, suffixes: Sequence[str]) -> bool:
    """Whether a file of a folder is a transcript, by its suffix."""
    return file.is_file() and not file.name.startswith(".") and file.suffix.lower() in suffixes
