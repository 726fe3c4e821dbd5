"""Finding the recording of each utterance.

| given                 | the clip of an utterance                                                                     |
|-----------------------|----------------------------------------------------------------------------------------------|
| nothing               | the file in the column `media` of the table; if several utterances name the same file, the   |
|                       | part of it from the start to the end of the utterance; or the recording that a file of ELAN  |
|                       | or another tool names for a whole conversation                                               |
| a file                | the part of it from the start to the end of the utterance; all of it for a single utterance  |
| a folder              | the first of `diaD_uttU.*` (MELD; D and U are the numbers at the end of the ids),            |
|                       | `CONVERSATION_UTTERANCE.*`, `CONVERSATION/UTTERANCE.*`, `UTTERANCE.*` (if no other           |
|                       | conversation has the id) that exists; or else a part of `CONVERSATION.*` or `diaD.*`         |

If several files have the same name, sound comes from the audio file and pictures from the video file.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import Clip, MediaProblem, open_media
from sdt.media.problems import summarise

# fmt: off
AUDIO = (
    "wav", "w64", "flac", "aif", "aiff", "au", "caf", "wv", "ape", "tta", "ogg", "oga", "opus", "weba", "mka",
    "mp3", "m4a", "m4b", "aac", "wma", "ac3", "eac3", "mp2", "spx", "amr", "awb",
)
"""Suffixes of audio files, in the order of their quality."""
VIDEO = (
    "mp4", "mkv", "mov", "webm", "avi", "m4v", "ts", "mts", "m2ts", "m2t", "mxf", "mpg", "mpeg", "vob", "dv",
    "flv", "f4v", "wmv", "asf", "ogv", "3gp", "3g2",
)
"""Suffixes of files that can contain sound and pictures."""
# fmt: on
_AUDIO_FIRST = (*AUDIO, *VIDEO)
_VIDEO_FIRST = (*VIDEO, *AUDIO)


MAX_OPENED = 20
"""The number of video files that are opened to check for pictures."""


@dataclass(frozen=True)
class Recordings:
    """The recordings of conversations."""

    clips: Mapping[tuple[str, str], Sequence[Clip]] = field(default_factory=dict)
    """(conversation id, utterance id) to its clips: the same time range in files of several kinds."""
    notes: Sequence[str] = ()
    """Notes for the user, one line each: recordings of the folder without an utterance."""

    @property
    def has_video(self) -> bool:
        """Whether any recording has a video track; see `any_video`."""
        return any_video(clip.path for clips in self.clips.values() for clip in clips)

    def clip(self, conversation: str, utterance: str, modality: str) -> Clip | None:
        """The clip of an utterance for an encoder of `audio` or `visual`; None without a recording."""
        order = _VIDEO_FIRST if modality == "visual" else _AUDIO_FIRST
        clips = self.clips.get((conversation, utterance), ())
        ranks = {suffix: rank for rank, suffix in enumerate(order)}
        return min(clips, key=lambda clip: ranks.get(_kind(clip.path), len(ranks)), default=None)


def is_recording(path: Path) -> bool:
    """Whether a file is a recording, by its suffix or, for an unknown suffix, by its content."""
    return _kind(path) in (*AUDIO, *VIDEO) or _contains_media(path)


def is_video_file(path: Path) -> bool:
    """Whether a file can contain video, by its suffix."""
    return _kind(path) in VIDEO


def any_video(paths: Iterable[Path]) -> bool:
    """Whether one of the first `MAX_OPENED` video files has a video track."""
    videos = dict.fromkeys(path for path in paths if is_video_file(path))
    return any(_has_video(path) for path in itertools.islice(videos, MAX_OPENED))


def _has_video(path: Path) -> bool:
    try:
        with open_media(path) as container:
            return bool(container.streams.video)
    except (MediaProblem, MissingDependencyError):
        return False


def _contains_media(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if b"\0" not in file.read(512):  # text
                return False
        with open_media(path) as container:
            return bool(container.streams.audio or container.streams.video)
    except (OSError, MediaProblem, MissingDependencyError):
        return False


def find_recordings(
    conversations: Sequence[Conversation], named: Mapping[tuple[str, str], Path], media: Path | None
) -> Recordings:
    """Find the recordings of conversations.

    Args:
        conversations: The conversations.
        named: (conversation id, utterance id) to the recording that the transcript names.
        media: A recording or a folder of recordings, which replaces those that the transcript names; or None.

    Raises:
        InputError: A recording cannot be divided into utterances, or the folder has no recording of any utterance.
    """
    finder = Finder(media)
    finder.register(conversations, named)
    clips: dict[tuple[str, str], list[Clip]] = {}
    for conversation in conversations:
        clips |= finder.find(conversation, named)
    if not clips:
        finder.require_recordings()
    return Recordings(clips, finder.unused())


class Finder:
    """Finds recordings conversation by conversation, after all conversations were registered.

    Args:
        media: See `find_recordings`.

    Raises:
        InputError: `media` does not exist.
    """

    def __init__(self, media: Path | None) -> None:
        if media is not None and not media.exists():
            raise InputError(f"{media}: file or folder not found")
        self._media = media
        self._known = _recordings_in(media) if media is not None and media.is_dir() else None
        self._owners: Counter[str] = Counter()
        """Utterance id to the number of conversations with this id."""
        self._sharing: Counter[Path] = Counter()
        """Recording that a transcript names to the number of its utterances."""
        self._used: set[Path] = set()
        """Recordings of the folder with an utterance."""
        self._first: Conversation | None = None
        self._seen = 0

    def register(self, conversations: Sequence[Conversation], named: Mapping[tuple[str, str], Path]) -> None:
        """Register conversations.

        Raises:
            InputError: There are several conversations for one recording.
        """
        self._first = self._first or next(iter(conversations), None)
        self._seen += len(conversations)
        if self._known is not None:
            self._owners.update(utterance.id for of in conversations for utterance in of.utterances)
        elif self._media is None:
            self._sharing.update(named.values())
        elif self._seen > 1:
            raise InputError(
                f"{self._media}: is one recording, but there are {self._seen} conversations; give a folder with one "
                "recording per conversation, named by its id"
            )

    def find(
        self, conversation: Conversation, named: Mapping[tuple[str, str], Path]
    ) -> dict[tuple[str, str], list[Clip]]:
        """The clips of a registered conversation; see `find_recordings`."""
        if self._known is not None:
            found = dict(self._in_folder(conversation, self._known))
            self._used.update(clip.path for clips in found.values() for clip in clips)
            return found
        if self._media is not None:
            return dict(_cut(conversation, [self._media]))
        return dict(self._named(conversation, named))

    def unused(self) -> list[str]:
        """A note about the recordings of the folder that `find` did not assign to an utterance, if any."""
        files = [file for files in (self._known or {}).values() for file in files]
        left = [file.name for file in files if file not in self._used]
        if not left:
            return []
        return [f"{self._media}: {len(left)} of {len(files)} recordings have no utterance: {summarise(left)}"]

    def require_recordings(self) -> None:
        """Raise an error if the folder has no recording of any utterance.

        Raises:
            InputError: No recording of the folder has an utterance.
        """
        if self._known is None or self._first is None:
            return
        first = self._first
        names = [*possible_clip_names(first.id, first.utterances[0], unique=True), *_conversation_names(first.id)]
        expected = ", ".join(f"{name}.*" for name in names)
        raise InputError(
            f"{self._media}: the folder has no recording of any utterance; expected names such as {expected}"
        )

    def _named(
        self, conversation: Conversation, named: Mapping[tuple[str, str], Path]
    ) -> Iterator[tuple[tuple[str, str], list[Clip]]]:
        """The clips of the files that a table names: whole files, or parts of files with several utterances."""
        for utterance in conversation.utterances:
            path = named.get((conversation.id, utterance.id))
            if path is None:
                continue
            if self._sharing[path] == 1:
                yield (conversation.id, utterance.id), [Clip(path)]
            elif utterance.start is None and os.path.isfile(path):  # noqa: PTH113 - any name may be asked for
                raise InputError(
                    f"{path}: is the recording of {self._sharing[path]} utterances, but utterance {utterance.id!r} of "
                    f"conversation {conversation.id!r} has no start; give start and end, or a clip for each utterance"
                )
            else:
                yield (conversation.id, utterance.id), [Clip(path, utterance.start, utterance.end)]

    def _in_folder(
        self, conversation: Conversation, known: Mapping[str, Sequence[Path]]
    ) -> Iterator[tuple[tuple[str, str], list[Clip]]]:
        whole = next((known[name] for name in _conversation_names(conversation.id) if name in known), None)
        found = {
            utterance.id: known[name]
            for utterance in conversation.utterances
            if (
                name := _first(
                    known, possible_clip_names(conversation.id, utterance, unique=self._owners[utterance.id] == 1)
                )
            )
        }
        if whole and not found:
            yield from _cut(conversation, whole)
        for id_, files in found.items():
            yield (conversation.id, id_), [Clip(file) for file in files]


def _recordings_in(folder: Path) -> dict[str, list[Path]]:
    """Relative name without suffix to the recordings with this name."""
    known: dict[str, list[Path]] = defaultdict(list)
    for file in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if is_recording(file) and file.is_file():
            known[file.relative_to(folder).with_suffix("").as_posix()].append(file)
    return dict(known)


def _cut(conversation: Conversation, files: Sequence[Path]) -> Iterator[tuple[tuple[str, str], list[Clip]]]:
    """Cut the recording of a conversation, in files of one or more kinds, by the times of the utterances."""
    if all(utterance.start is None for utterance in conversation.utterances):
        if len(conversation) > 1:
            raise InputError(
                f"{files[0]}: cannot be cut into the {len(conversation)} utterances of conversation "
                f"{conversation.id!r}, since the transcript has no times; give a transcript with times (srt, vtt, or "
                "columns start and end), or a folder with one clip for each utterance"
            )
        yield (conversation.id, conversation.utterances[0].id), [Clip(file) for file in files]
        return
    for utterance in conversation.utterances:
        if utterance.start is not None:
            yield (conversation.id, utterance.id), [Clip(file, utterance.start, utterance.end) for file in files]


def _first(known: Mapping[str, object], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in known), None)


def possible_clip_names(conversation: str, utterance: Utterance, *, unique: bool) -> list[str]:
    """The possible names of the file of one utterance, without the suffix.

    Args:
        conversation: The id of its conversation.
        utterance: The utterance.
        unique: Whether no other conversation has an utterance with this id, so that the id alone is a name, too.
    """
    names = [f"{conversation}_{utterance.id}", f"{conversation}/{utterance.id}"]
    dialogue, number = _number(conversation), _number(utterance.id)
    if dialogue is not None and number is not None:
        names.insert(0, f"dia{dialogue}_utt{number}")
    return [*names, utterance.id] if unique else names


def _conversation_names(conversation: str) -> list[str]:
    dialogue = _number(conversation)
    return [conversation] if dialogue is None else [conversation, f"dia{dialogue}"]


def _number(id_: str) -> int | None:
    """The number at the end of an id."""
    found = re.search(r"\d{1,9}$", id_)
    return int(found[0]) if found else None


def _kind(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
