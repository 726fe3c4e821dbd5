"""Writing a file and reading it as a transcript."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.conversation import Utterance
from sdt.errors import InputError
from sdt.formats import Transcript, read_transcript

ODD_LABELS = (
    "joy", "very happy", "so [so]", "a\\b[", "joy, corrected", "joy 0.83", "[joy 0.83]", "0", "-1", "=1+1", "true",
    "neutral", "corrected", "no emotion", "null", "ärger, 生气 😠", "<b>joy</b>", "{\\an8}", "&amp;", "a: b", "x" * 200,
)  # fmt: skip
"""Labels that formats might take for something else."""


def read(folder: Path, name: str, content: str | bytes, *, format: str | None = None) -> Transcript:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_transcript(path, format=format)


def utterances(transcript: Transcript) -> tuple[Utterance, ...]:
    """Those of the only conversation."""
    (conversation,) = transcript.conversations
    return conversation.utterances


def said(transcript: Transcript) -> list[tuple[str, str | None]]:
    """Speaker and text of the only conversation."""
    return [(utterance.speaker, utterance.text) for utterance in utterances(transcript)]


def times(transcript: Transcript) -> list[tuple[float | None, float | None]]:
    return [(utterance.start, utterance.end) for utterance in utterances(transcript)]


def refused(folder: Path, name: str, content: str | bytes, *, format: str | None = None) -> str:
    """The message with which a file is refused: one line that begins with the file's name."""
    with pytest.raises(InputError) as caught:
        read(folder, name, content, format=format)
    message = str(caught.value)
    assert message.startswith(str(folder / name))
    assert "\n" not in message
    return message.removeprefix(str(folder))
