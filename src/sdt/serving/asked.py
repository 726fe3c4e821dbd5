"""A conversation that a request asks about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sdt.conversation import Conversation
from sdt.features.encoder import Encoded
from sdt.serving.refusals import beyond
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload


@dataclass
class Asked:
    """A conversation that a request asks about."""

    conversation: Conversation
    notes: list[str] = field(default_factory=list)
    given: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features that the request brings."""
    uploads: list[Upload] = field(default_factory=list)


def close(asked: Sequence[Asked]) -> None:
    """Give all uploads back to the system."""
    for one in asked:
        for upload in one.uploads:
            upload.close()


def check(conversation: Conversation, settings: Settings) -> None:
    """Refuse what is beyond the limits.

    Raises:
        Refusal: It has too many utterances, or one of them too many characters.
    """
    if len(conversation) > settings.utterances:
        raise beyond(settings, "utterances", f"conversation {conversation.id!r} has {len(conversation):,} utterances")
    for utterance in conversation.utterances:
        if len(utterance.text or "") > settings.characters:
            raise beyond(
                settings,
                "characters",
                f"utterance {utterance.id!r} of conversation {conversation.id!r} has "
                f"{len(utterance.text or ''):,} characters",
            )
