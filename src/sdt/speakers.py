"""How speakers become numbers: by identity (a table of known people) or by order of appearance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sdt.conversation import Conversation

SpeakerMode = Literal["identity", "appearance"]
FIRST_SPEAKER = "Speaker 1"
"""Who speaks where nobody has been named."""


@dataclass(frozen=True)
class Speakers:
    """The speaker numbering of a corpus and of every model trained on it."""

    mode: SpeakerMode
    """`identity`: a speaker has the same number everywhere. `appearance`: who speaks first in a conversation is 0, the
    next new voice 1, and so on; works for people never seen."""
    count: int
    """How many numbers there are. `count` itself stands for a speaker without a number."""
    names: tuple[str, ...] = ()
    """In mode `identity`, the known speakers in the order of their numbers."""

    def __post_init__(self) -> None:
        if self.mode == "identity" and len(self.names) != self.count:
            raise ValueError(f"speakers: {self.count} numbers but {len(self.names)} names")

    def numbers(self, conversation: Conversation) -> list[int]:
        """The speaker number of each utterance; `count` for an unknown speaker, or one past the last number."""
        seen: dict[str, int] = {}
        return [self.number(utterance.speaker, seen) for utterance in conversation.utterances]

    def number(self, speaker: str, seen: dict[str, int]) -> int:
        """The number of one speaker.

        Args:
            speaker: Who speaks.
            seen: Who spoke before in this conversation, with their numbers; empty at its beginning, and added to.
        """
        if speaker not in seen:
            if self.mode == "appearance":
                seen[speaker] = min(len(seen), self.count)
            else:
                seen[speaker] = self._known.get(speaker, self.count)
        return seen[speaker]

    @cached_property
    def _known(self) -> dict[str, int]:
        """Name to number; of a name that stands there twice, the first."""
        return {name: number for number, name in reversed(list(enumerate(self.names)))}

    @classmethod
    def of(cls, conversations: Iterable[Conversation], mode: SpeakerMode) -> Speakers:
        """The numbering that covers these conversations (for `identity`, names in alphabetical order)."""
        voices = ({utterance.speaker for utterance in c.utterances} for c in conversations)
        if mode == "appearance":
            return cls("appearance", max(map(len, voices), default=1))
        names = tuple(sorted(set().union(*voices)))
        return cls("identity", len(names), names)
