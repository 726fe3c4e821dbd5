"""A request for predictions: the conversation, its features, and its uploads.

Uploads are unnamed files, which the system deletes even if the service is killed.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sdt.conversation import Conversation
from sdt.encoders.encoder import Encoded
from sdt.errors import quoted
from sdt.serving.config import ServingConfig
from sdt.serving.decoder_worker import DESCRIPTORS
from sdt.serving.errors import invalid_request, limit_exceeded
from sdt.serving.limits import RequestUsage


@dataclass(frozen=True)
class TranscribeOptions:
    """How a client wants a recording to be transcribed."""

    speakers: tuple[int, int | None] | None = None
    """The fewest and the most speakers; None to find the number."""
    language: str | None = None
    """ISO 639-1; None to detect it."""
    channels: str = "mix"
    """`mix`, or `speakers`: each channel is one speaker."""


LONGEST_NAME = 120
"""Maximum characters of a file name; a file system allows 255 bytes."""
_ESCAPES = {b"\\/": b"/", b"\\n": b"", b"\\r": b"", b"\n": b"", b"\r": b"", b" ": b""}
"""JSON escapes and line breaks in base64, and their replacements."""
_DATA_PREFIX = 200
"""Maximum bytes of a data URL before its base64."""
_PIECE = 2**20
"""Bytes of base64 that are decoded at a time; a multiple of four."""


class Upload:
    """An uploaded file.

    Args:
        file: Its content; the upload owns it.
        name: The client's name for it.
        utterance: The id of the utterance whose clip it is; None for the recording of the whole conversation.
    """

    def __init__(self, file: IO[bytes], name: str, utterance: str | None = None) -> None:
        self.file, self.name, self.utterance = file, safe_file_name(name), utterance

    @classmethod
    def from_bytes(cls, content: bytes, name: str, utterance: str | None = None) -> Upload:
        """An upload of content in memory."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the upload's owner closes it
        file.write(content)
        file.flush()
        return cls(file, name, utterance)

    @classmethod
    def from_base64(cls, written: bytes, name: str, utterance: str) -> Upload:
        """Create an upload from base64 in JSON: plain or as a `data:` URL, with or without line breaks.

        Raises:
            APIError: It is not base64.
        """
        for escape, replacement in _ESCAPES.items():
            written = written.replace(escape, replacement)
        first = 0
        if written[:5].lower() == b"data:":
            first = written.find(b",", 0, _DATA_PREFIX) + 1
            if not written[:first].lower().endswith(b";base64,"):
                raise invalid_request(f"utterance {quoted(utterance)}: its clip is a data URL without ;base64")
        upload = cls.from_bytes(b"", name, utterance)
        try:
            for begin in range(first, len(written), _PIECE):
                piece = written[begin : begin + _PIECE]
                if piece.endswith(b"=") and begin + _PIECE < len(written):
                    raise ValueError
                upload.file.write(base64.b64decode(piece, validate=True))
        except ValueError:
            upload.close()
            raise invalid_request(f"utterance {quoted(utterance)}: its clip is not base64") from None
        return upload

    def fileno(self) -> int:
        """The descriptor of the file, with all content written to it."""
        self.file.flush()
        return self.file.fileno()

    def close(self) -> None:
        """Close and delete the file."""
        self.file.close()


@dataclass
class PredictRequest:
    """One conversation to predict."""

    conversation: Conversation
    notes: list[str] = field(default_factory=list)
    features: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features that the request contains."""
    uploads: list[Upload] = field(default_factory=list)
    transcribe: TranscribeOptions | None = None
    """How the recording is transcribed; None if the request has a transcript."""
    seconds: float = 0.0
    """The duration of a recording that was transcribed; 0 if it is unknown."""
    extracted: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features of the recordings, once they are extracted."""


def close_uploads(requests: Sequence[PredictRequest]) -> None:
    """Close all uploads of these requests."""
    for request in requests:
        for upload in request.uploads:
            upload.close()


def check_conversation(conversation: Conversation, usage: RequestUsage, config: ServingConfig) -> None:
    """Check the limits of a conversation and count its utterances in `usage`.

    Raises:
        APIError: It has too many utterances, or an utterance too many characters.
    """
    if len(conversation) > config.utterances:
        text = f"conversation {quoted(conversation.id)} has {len(conversation):,} utterances"
        raise limit_exceeded(config, "utterances", text)
    usage.add_utterances(len(conversation))
    for utterance in conversation.utterances:
        check_text(config, conversation.id, utterance.id, utterance.text)


def check_text(config: ServingConfig, conversation: str, utterance: str, text: str | None) -> None:
    """Check the length of the text of an utterance.

    Raises:
        APIError: The text is too long.
    """
    if len(text or "") > config.characters:
        where = f"utterance {quoted(utterance)} of conversation {quoted(conversation)}"
        raise limit_exceeded(config, "characters", f"{where} has {len(text or ''):,} characters")


def safe_file_name(name: str) -> str:
    """Remove folders and special characters from a client's file name.

    Example:
        >>> safe_file_name("talks/chat.srt")
        'chat.srt'
    """
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c if c.isprintable() and not 0xD800 <= ord(c) < 0xE000 else "_" for c in last).strip()
    if printable.strip(".") == "":
        return "upload"
    stem, dot, suffix = printable.rpartition(".")
    if not dot or len(suffix) > 8 or not stem:
        return _shortened(printable)
    return f"{_shortened(stem)}.{suffix}"


def _shortened(name: str) -> str:
    """Shorten a name to the limits of file systems, in characters and bytes."""
    while len(name) > LONGEST_NAME or len(name.encode()) > 2 * LONGEST_NAME:
        name = name[:-1]
    return name


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder for links to uploads, which is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="sdt-serve-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def named_path(upload: Upload) -> Iterator[Path]:
    """Create a path with the client's file name at which this process can open an upload."""
    with temporary_folder() as folder:
        path = folder / upload.name
        descriptor = os.dup(upload.fileno())
        try:
            path.symlink_to(DESCRIPTORS / str(descriptor))
            yield path
        finally:
            os.close(descriptor)
