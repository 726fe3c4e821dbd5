"""Inputs of a prediction: transcripts, recordings, folders of either, or Python objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

from sdt.conversation import FIRST_SPEAKER, Conversation, Utterance
from sdt.errors import InputError, printable, quoted
from sdt.formats import Transcript, read_transcript, read_transcripts
from sdt.formats.parsing.turn_records import read_records
from sdt.formats.read import SUFFIXES, iter_transcripts, list_transcripts
from sdt.formats.transcript import assemble
from sdt.media.clip import Clip
from sdt.media.recordings import Recordings, find_recordings, is_recording

LIST = Path("conversation")
"""The name of a list of utterances in messages, and the id of its conversation."""

UtteranceInput = str | tuple[str | None, str] | Mapping[str, object] | Utterance
"""An utterance in Python: its text; a pair (speaker, text); an `Utterance`; or a dictionary with the keys of JSON Lines
(`text`, `speaker`, `conversation`, `utterance`, `start`, `end`, `label`, `media`)."""
Input = str | Path | Transcript | Conversation | Sequence[Conversation] | Sequence[UtteranceInput]
"""A path, a result of `read_transcript`, one or more conversations, or a list of utterances."""


@dataclass(frozen=True)
class ClipFolder(Transcript):
    """The conversations of a folder of clips: utterances without text, named after the files."""

    recordings: Recordings = field(default_factory=Recordings)
    """The clips of the utterances."""


TranscribeRecording = Callable[[Path], Transcript]
"""Makes the transcript of a recording; `sdt.speech.recording.RecordingTranscriber` is one."""


def read_input(
    given: Input, *, encoding: str | None = None, transcribe: TranscribeRecording | None = None
) -> Transcript:
    """Read the conversations of any input.

    Args:
        given: The path of a transcript, a folder of transcripts, a folder of clips, or a recording, which is then
            transcribed; or a transcript, one or more conversations, or a list of utterances.
        encoding: The encoding of the transcripts; None detects it.
        transcribe: Transcribes a recording; None for a `RecordingTranscriber` with its defaults.

    Raises:
        InputError: The file cannot be used, two conversations or two utterances of a conversation have the same id, or
            a conversation is empty.

    Example:
        >>> [conversation] = read_input([("Ann", "I got the job!"), ("Ben", "Wonderful!")]).conversations
        >>> conversation.utterances[1].speaker
        'Ben'
    """
    if isinstance(given, str | Path):
        transcript = _read_path(Path(given), encoding, transcribe)
    elif isinstance(given, Transcript):
        transcript = given
    else:
        items = [given] if isinstance(given, Conversation | Utterance) else _items(given)
        utterances = [item for item in items if isinstance(item, Utterance)]
        if utterances and len(utterances) == len(items):
            items = [Conversation(utterances=tuple(utterances))]
        conversations = [item for item in items if isinstance(item, Conversation)]
        if len(conversations) == len(items):
            named = [one.with_defaults(_default_id(number)) for number, one in enumerate(conversations)]
            transcript = Transcript(named, {}, [])
        else:
            transcript = _read_items(items)
    _check(transcript.conversations)
    return transcript


def recordings_of(transcript: Transcript, conversations: Sequence[Conversation], media: Path | None) -> Recordings:
    """The recordings of some conversations of a transcript; see `find_recordings`.

    Args:
        transcript: The result of `read_input`.
        conversations: Conversations of the transcript.
        media: A recording or a folder of recordings; None uses those that the transcript names, or the clips that it
            consists of.
    """
    if isinstance(transcript, ClipFolder) and media is None:
        ids = {conversation.id for conversation in conversations}
        return Recordings({key: of for key, of in transcript.recordings.clips.items() if key[0] in ids})
    return find_recordings(conversations, transcript.clips, media)


def iter_inputs(path: Path, *, encoding: str | None = None) -> Iterator[Transcript]:
    """Like `read_input` for a path, but the transcripts of a folder are read one at a time."""
    if path.is_file() and is_recording(path):
        raise InputError(
            f"{path}: a recording without a transcript; transcribe it first: sdt transcribe {path} --output "
            f"{path.stem}.jsonl"
        )
    one_by_one = path.is_dir() and bool(list_transcripts(path))
    for part in iter_transcripts(path, encoding=encoding) if one_by_one else [_read_path(path, encoding, None)]:
        _check(part.conversations)
        yield _with_recordings(part, path) if one_by_one else part


def _read_path(path: Path, encoding: str | None, transcribe: TranscribeRecording | None) -> Transcript:
    try:
        path.stat()
    except (OSError, ValueError):
        raise InputError(
            f"{printable(str(path))[:200]}: file or folder not found (to predict a text, write it to a file or, in "
            "Python, put it in a list)"
        ) from None
    if path.is_dir():
        if not list_transcripts(path):
            return _read_clips(path)
        return _with_recordings(read_transcripts(path, encoding=encoding), path)
    if not is_recording(path):
        return _with_recordings(read_transcript(path, encoding=encoding), path.parent)
    if transcribe is None:
        from sdt.speech.recording import RecordingTranscriber  # only recordings need it

        transcribe = RecordingTranscriber()
    return transcribe(path)


def _with_recordings(transcript: Transcript, folder: Path) -> Transcript:
    """Take up the recordings that whole conversations name, as ELAN's files do, where they exist."""
    named: dict[tuple[str, str], Path] = {}
    for conversation in transcript.conversations:
        keys = [(conversation.id, utterance.id) for utterance in conversation.utterances]
        timed = all(utterance.start is not None for utterance in conversation.utterances)
        if conversation.media and timed and not any(key in transcript.clips for key in keys):
            found = next(filter(_is_file, _places(conversation.media, folder)), None)
            named |= dict.fromkeys(keys, found) if found else {}
    return replace(transcript, clips={**transcript.clips, **named}) if named else transcript


def _places(name: str, folder: Path) -> Iterator[Path]:
    """Where a recording with this name or URL may be: there, or beside the transcript, as files are moved together."""
    try:
        url = urlsplit(name)
    except ValueError:  # no URL, such as "file://["
        return
    if url.scheme == "file":
        name = unquote(url.path)
    elif url.netloc:
        return
    yield folder / PureWindowsPath(name).as_posix()
    yield folder / PureWindowsPath(name).name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no name of a file
        return False


def _default_id(number: int) -> str:
    """The id of a conversation without one, by its position."""
    return f"{LIST}-{number + 1}" if number else str(LIST)


def _items(given: object) -> list[object]:
    """The items of a list, the rows of a data frame, or a single dictionary as a list."""
    if isinstance(given, Mapping):
        return [given]
    if hasattr(given, "to_dict"):
        return list(given.to_dict("records"))
    if not isinstance(given, Iterable):
        raise InputError(f"{quoted(given)}: give a path, conversations, or a list of utterances")
    return list(given)


def _read_items(items: Sequence[object]) -> Transcript:
    """Read the utterances of a list, in one conversation unless dictionaries name conversations."""
    records: list[Mapping[str, object]] = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, str):
            records.append({"text": item})
        elif isinstance(item, Mapping):
            records.append({name: _json_value(value) for name, value in item.items()})
        elif isinstance(item, tuple) and len(item) == 2 and all(isinstance(of, str | None) for of in item):
            records.append({"speaker": item[0], "text": item[1]})
        else:
            raise InputError(
                f"item {number} of the list is {quoted(item)}; give texts, pairs (speaker, text), dictionaries with "
                "the key 'text', or conversations"
            )
    return assemble(LIST, *read_records(LIST, list(enumerate(records, start=1))))


def _json_value(value: object) -> object:
    """Convert NumPy numbers to Python numbers, and missing values of pandas to None."""
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    try:
        return None if value != value else value
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return None


def _read_clips(folder: Path) -> Transcript:
    """Read the conversations of a folder of clips by their names: `dia1_utt0.mp4` is utterance `utt0` of `dia1`."""
    clips = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and is_recording(path)]
    if not clips:
        raise InputError(
            f"{folder}: the folder has neither transcripts nor recordings; transcripts end with {', '.join(SUFFIXES)}"
        )
    named: dict[tuple[str, str], list[Clip]] = {}
    for path in clips:  # an utterance can have an audio and a video file
        conversation, _, utterance = path.stem.rpartition("_")
        named.setdefault((conversation, utterance) if conversation else (path.stem, "0"), []).append(Clip(path))
    order = sorted(named, key=lambda key: [_natural(part) for part in key])
    conversations = [
        Conversation(id, tuple(Utterance(utterance, FIRST_SPEAKER) for of, utterance in order if of == id))
        for id in dict.fromkeys(conversation for conversation, _ in order)
    ]
    note = f"{folder}: clips of {len(named)} utterances, without speakers and text"
    return ClipFolder(conversations, {}, [note], recordings=Recordings(named))


def _natural(text: str) -> list[tuple[int, str]]:
    """A sort key that orders 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]


def _check(conversations: Sequence[Conversation]) -> None:
    seen: set[str] = set()
    for conversation in conversations:
        if conversation.id in seen:
            raise InputError(f"two conversations have the id {conversation.id!r}; ids must be unique")
        seen.add(conversation.id)
        if not conversation.utterances:
            raise InputError(f"conversation {conversation.id!r} has no utterances")
        ids = [utterance.id for utterance in conversation.utterances]
        if len(set(ids)) < len(ids):
            twice = next(id_ for index, id_ in enumerate(ids) if id_ in ids[:index])
            raise InputError(f"conversation {conversation.id!r} has two utterances {twice!r}; ids must be unique")
