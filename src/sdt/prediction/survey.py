"""Surveys an input before prediction: counts and speakers, without keeping it in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sdt.conversation import Conversation
from sdt.errors import InputError
from sdt.formats import Transcript
from sdt.media.clip import Clip
from sdt.media.recordings import Finder, Recordings
from sdt.prediction.inputs import ClipFolder, read_parts, recordings_of

Clips = dict[tuple[str, str], list[Clip]]
Named = Mapping[tuple[str, str], Path]


class Survey:
    """One look through all transcripts, which are read again whenever their conversations are asked for.

    In memory is one transcript at a time; of the others their ids, speakers and notes.

    Args:
        path: See `read_input`.
        media: See `find_recordings`.
        encoding: The encoding of the transcripts; None to tell it.

    Raises:
        InputError: As of these two.
    """

    def __init__(self, path: Path, media: Path | None, *, encoding: str | None = None) -> None:
        self._path, self._media, self._encoding, self._finder = path, media, encoding, Finder(media)
        self.conversations = self.utterances = 0
        self.speakers: set[str] = set()
        self.notes: list[str] = []
        self.without_time: tuple[str, str] | None = None
        """The first (conversation id, utterance id) that has no start."""
        for part in self._parts():
            self.notes += part.notes
            self._finder.register(part.conversations, part.clips)
            for conversation in part.conversations:
                self._count(conversation)
        self.recorded, self.filmed = self._look_for_recordings()
        """Whether any utterance has a recording, and whether any recording is a film."""

    def _parts(self) -> Iterator[Transcript]:
        return read_parts(self._path, encoding=self._encoding)

    def _count(self, conversation: Conversation) -> None:
        self.conversations += 1
        self.utterances += len(conversation)
        self.speakers.update(utterance.speaker for utterance in conversation.utterances)
        timeless = next((utterance.id for utterance in conversation.utterances if utterance.start is None), None)
        if self.without_time is None and timeless is not None:
            self.without_time = (conversation.id, timeless)

    def _look_for_recordings(self) -> tuple[bool, bool]:
        found = filmed = False
        for part in self._parts():  # all of them: a recording that cannot be cut is said before the work
            for conversation in part.conversations:
                clips = self._find(part, conversation)
                found, filmed = found or bool(clips), filmed or Recordings(clips).has_video
        if not found:
            self._finder.require_recordings()
        self.notes += self._finder.unused()
        return found, filmed

    def _find(self, part: Transcript, conversation: Conversation) -> Clips:
        """The clips of a conversation; a folder of clips that is predicted on without others has its own."""
        if isinstance(part, ClipFolder) and self._media is None:
            return {place: list(of) for place, of in recordings_of(part, [conversation], None).clips.items()}
        return self._finder.find(conversation, part.clips)

    def batches(self) -> Iterator[tuple[list[Conversation], Recordings]]:
        """The batches of `sdt.prediction.pipeline.batches`, each with its recordings.

        Raises:
            InputError: The transcripts are not what they were.
        """
        from sdt.prediction.pipeline import batches

        clips: dict[str, Clips] = {}
        for batch in batches(self._each(clips)):
            found: Clips = {}
            for conversation in batch:
                found |= clips.pop(conversation.id)
            yield batch, Recordings(found)

    def _each(self, clips: dict[str, Clips]) -> Iterator[Conversation]:
        """Every conversation; its clips are put into `clips`."""
        utterances = 0
        for part in self._parts():
            for conversation in part.conversations:
                utterances += len(conversation)
                clips[conversation.id] = self._find(part, conversation)
                yield conversation
        if utterances != self.utterances:
            raise InputError(f"{self._path}: has changed meanwhile; give the same command again")


def content(batch: Iterable[Conversation], recordings: Recordings) -> list[object]:
    """What a batch is, as JSON values: the same words and files give the same ones."""
    files = {
        clip.path: clip.path.stat() if os.path.exists(clip.path) else None  # noqa: PTH110 - any name may be asked for
        for of in recordings.clips.values()
        for clip in of
    }
    said = [[c.id, [[u.id, u.speaker, u.text, u.label, u.start, u.end] for u in c.utterances]] for c in batch]
    clips = [
        [*place, [[str(clip.path), clip.start, clip.end, clip.half] for clip in of]]
        for place, of in sorted(recordings.clips.items())
    ]
    stats = [[str(path), of and of.st_size, of and of.st_mtime_ns] for path, of in sorted(files.items())]
    return [said, clips, stats]
