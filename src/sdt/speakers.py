"""Numbering of speakers, by identity (a table of known speakers) or by order of appearance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sdt.conversation import Conversation

SpeakerMode = Literal["identity", "appearance"]


@dataclass(frozen=True)
class Speakers:
    """The speaker numbering of a corpus and of every model trained on it."""

    mode: SpeakerMode
    """`identity`: a speaker has the same number in all conversations. `appearance`: the first speaker of a conversation
    is 0, the next new speaker 1, and so on; this also works for unknown speakers."""
    count: int
    """The number of speaker numbers. `count` itself stands for an unknown speaker."""
    names: tuple[str, ...] = ()
    """The known speakers in the order of their numbers, in mode `identity`."""

    def __post_init__(self) -> None:
        if self.mode == "identity" and len(self.names) != self.count:
            raise ValueError(f"speakers: {self.count} numbers but {len(self.names)} names")

    def numbers(self, conversation: Conversation) -> list[int]:
        """The speaker number of each utterance; `count` for an unknown speaker, or beyond `count` speakers."""
        seen: dict[str, int] = {}
        return [self.number(utterance.speaker, seen) for utterance in conversation.utterances]

    def number(self, speaker: str, seen: dict[str, int]) -> int:
        """The number of one speaker.

        Args:
            speaker: The name of the speaker.
            seen: The previous speakers of this conversation with their numbers; this method adds the speaker.
        """
        if speaker not in seen:
            if self.mode == "appearance":
                seen[speaker] = min(len(seen), self.count)
            else:
                seen[speaker] = self._known.get(speaker, self.count)
        return seen[speaker]

    @cached_property
    def _known(self) -> dict[str, int]:
        """Name to number; the first number of a repeated name."""
        return {name: number for number, name in reversed(list(enumerate(self.names)))}

    @classmethod
    def from_conversations(cls, conversations: Iterable[Conversation], mode: SpeakerMode) -> Speakers:
        """Make the numbering of these conversations; for `identity`, names are in alphabetical order."""
        speakers = ({utterance.speaker for utterance in c.utterances} for c in conversations)
        if mode == "appearance":
            return cls("appearance", max(map(len, speakers), default=1))
        names = tuple(sorted(set().union(*speakers)))
        return cls("identity", len(names), names)


def number_participants(conversation: Conversation) -> list[int]:
    """The number of each utterance's speaker by order of appearance in the conversation, without a limit."""
    seen: dict[str, int] = {}
    return [seen.setdefault(utterance.speaker, len(seen)) for utterance in conversation.utterances]
