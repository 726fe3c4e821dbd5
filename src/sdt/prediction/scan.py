"""A first pass over an input before prediction: counts, speakers and recordings, without keeping it in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sdt.conversation import Conversation
from sdt.errors import InputError
from sdt.formats import Transcript
from sdt.media.clip import Clip
from sdt.media.recordings import Finder, Recordings
from sdt.prediction.inputs import ClipFolder, iter_inputs, recordings_of

Clips = dict[tuple[str, str], list[Clip]]
Named = Mapping[tuple[str, str], Path]


class InputScan:
    """A pass over all transcripts, which are read again when `batches` is called.

    One transcript is in memory at a time; of the others, only ids, speakers and notes are kept.

    Args:
        given: A transcript, or a path; see `read_input`.
        media: See `find_recordings`.
        encoding: The encoding of the transcripts; None detects it.

    Raises:
        InputError: See `read_input` and `find_recordings`.
    """

    def __init__(self, given: Path | Transcript, media: Path | None, *, encoding: str | None = None) -> None:
        self._given, self._media, self._encoding, self._finder = given, media, encoding, Finder(media)
        self.conversations = self.utterances = 0
        self.speakers: set[str] = set()
        self.notes: list[str] = []
        self.without_time: tuple[str, str] | None = None
        """The (conversation id, utterance id) of the first utterance without a start; None if all have one."""
        for part in self._parts():
            self.notes += part.notes
            self._finder.register(part.conversations, part.clips)
            for conversation in part.conversations:
                self._count(conversation)
        self.has_recordings, self.has_video = self._find_all()
        """Whether any utterance has a recording, and whether any recording has video."""

    def _parts(self) -> Iterator[Transcript]:
        if isinstance(self._given, Transcript):
            return iter([self._given])
        return iter_inputs(self._given, encoding=self._encoding)

    def _count(self, conversation: Conversation) -> None:
        self.conversations += 1
        self.utterances += len(conversation)
        self.speakers.update(utterance.speaker for utterance in conversation.utterances)
        first = next((utterance.id for utterance in conversation.utterances if utterance.start is None), None)
        if self.without_time is None and first is not None:
            self.without_time = (conversation.id, first)

    def _find_all(self) -> tuple[bool, bool]:
        found = has_video = False
        for part in self._parts():  # all of them, so that a recording that cannot be cut is reported before the work
            for conversation in part.conversations:
                clips = self._find(part, conversation)
                found, has_video = found or bool(clips), has_video or Recordings(clips).has_video
        if not found:
            self._finder.require_recordings()
        self.notes += self._finder.unused()
        return found, has_video

    def _find(self, part: Transcript, conversation: Conversation) -> Clips:
        """The clips of a conversation; the input itself has them if it is a folder of clips."""
        if isinstance(part, ClipFolder) and self._media is None:
            return {key: list(of) for key, of in recordings_of(part, [conversation], None).clips.items()}
        return self._finder.find(conversation, part.clips)

    def batches(self) -> Iterator[tuple[list[Conversation], Recordings]]:
        """The batches of `sdt.prediction.pipeline.batches`, each with its recordings.

        Raises:
            InputError: The transcripts have changed since the first pass.
        """
        from sdt.prediction.pipeline import batches

        clips: dict[str, Clips] = {}
        for batch in batches(self._each(clips)):
            found: Clips = {}
            for conversation in batch:
                found |= clips.pop(conversation.id)
            yield batch, Recordings(found)

    def _each(self, clips: dict[str, Clips]) -> Iterator[Conversation]:
        """Yield every conversation, and put its clips into `clips`."""
        utterances = 0
        for part in self._parts():
            for conversation in part.conversations:
                utterances += len(conversation)
                clips[conversation.id] = self._find(part, conversation)
                yield conversation
        if utterances != self.utterances:
            raise InputError(f"{self._given}: changed during the command; run it again")


def batch_content(batch: Iterable[Conversation], recordings: Recordings) -> list[object]:
    """The content of a batch as JSON values, which are equal for equal utterances and recordings."""
    files = {
        clip.path: clip.path.stat() if os.path.exists(clip.path) else None  # noqa: PTH110 - the name can be impossible
        for of in recordings.clips.values()
        for clip in of
    }
    utterances = [[c.id, [[u.id, u.speaker, u.text, u.label, u.start, u.end] for u in c.utterances]] for c in batch]
    clips = [
        [*key, [[str(clip.path), clip.start, clip.end, clip.half] for clip in of]]
        for key, of in sorted(recordings.clips.items())
    ]
    stats = [[str(path), of and of.st_size, of and of.st_mtime_ns] for path, of in sorted(files.items())]
    return [utterances, clips, stats]
