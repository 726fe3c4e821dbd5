"""What can be predicted on: a transcript, a folder of them, a recording alone, or conversations made in Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.features.recordings import is_recording
from sdt.speakers import FIRST_SPEAKER
from sdt.transcripts import Transcript, read_transcript, read_transcripts
from sdt.transcripts.read import each_transcript

Input = str | Path | Transcript | Conversation | Sequence[Conversation]
"""A path, what `read_transcript` gave, or conversations."""


def read_input(given: Input, *, encoding: str | None = None) -> Transcript:
    """The conversations to predict on.

    Args:
        given: The path of a transcript, of a folder of transcripts or of a recording, which is then one utterance
            without words; or a transcript, a conversation, or several.
        encoding: The encoding of the transcripts; None to tell it.

    Raises:
        InputError: The file cannot be used; two conversations have the same id, or two utterances of one; or a
            conversation is empty.
    """
    if isinstance(given, str | Path):
        transcript = _read_path(Path(given), encoding)
    elif isinstance(given, Transcript):
        transcript = given
    else:
        transcript = Transcript([given] if isinstance(given, Conversation) else list(given), {}, [])
    _check(transcript.conversations)
    return transcript


def read_parts(path: Path, *, encoding: str | None = None) -> Iterator[Transcript]:
    """The same of a path, a folder's transcripts one after the other: they need not be in memory together."""
    for part in each_transcript(path, encoding=encoding) if path.is_dir() else [_read_path(path, encoding)]:
        _check(part.conversations)
        yield part


def _read_path(path: Path, encoding: str | None) -> Transcript:
    if path.is_dir():
        return read_transcripts(path, encoding=encoding)
    if not is_recording(path):
        return read_transcript(path, encoding=encoding)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    note = f"{path.name}: a recording with no transcript: taken to be one utterance without words"
    return Transcript([Conversation(path.stem, (Utterance("0", FIRST_SPEAKER),))], {(path.stem, "0"): path}, [note])


def _check(conversations: Sequence[Conversation]) -> None:
    seen: set[str] = set()
    for conversation in conversations:
        if conversation.id in seen:
            raise InputError(f"two conversations have the id {conversation.id!r}; give each its own")
        seen.add(conversation.id)
        if not conversation.utterances:
            raise InputError(f"conversation {conversation.id!r} has no utterances")
        ids = [utterance.id for utterance in conversation.utterances]
        if len(set(ids)) < len(ids):
            twice = next(id_ for place, id_ in enumerate(ids) if id_ in ids[:place])
            raise InputError(f"conversation {conversation.id!r} has two utterances {twice!r}; give each its own id")
