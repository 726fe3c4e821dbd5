"""How speakers become numbers: by identity (a table of known people) or by order of appearance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sdt.conversation import Conversation

SpeakerMode = Literal["identity", "appearance"]


@dataclass(frozen=True, slots=True)
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
        if self.mode == "identity":
            known = {name: number for number, name in enumerate(self.names)}
            return [known.get(utterance.speaker, self.count) for utterance in conversation.utterances]
        seen: dict[str, int] = {}
        return [min(seen.setdefault(utterance.speaker, len(seen)), self.count) for utterance in conversation.utterances]

    @classmethod
    def of(cls, conversations: list[Conversation], mode: SpeakerMode) -> Speakers:
        """The numbering that covers these conversations (for `identity`, names in alphabetical order)."""
        voices = [{utterance.speaker for utterance in c.utterances} for c in conversations]
        if mode == "appearance":
            return cls("appearance", max((len(v) for v in voices), default=1))
        names = tuple(sorted(set().union(*voices)))
        return cls("identity", len(names), names)
