"""A conversation that a request asks about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sdt.conversation import Conversation
from sdt.encoders.encoder import Encoded
from sdt.errors import quoted
from sdt.serving.memory import Usage
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


def check(conversation: Conversation, usage: Usage, settings: Settings) -> None:
    """Refuse what is beyond the limits.

    Raises:
        Refusal: It has too many utterances, or one of them too many characters.
    """
    if len(conversation) > settings.utterances:
        raise beyond(
            settings, "utterances", f"conversation {quoted(conversation.id)} has {len(conversation):,} utterances"
        )
    usage.add_utterances(len(conversation))
    for utterance in conversation.utterances:
        check_text(settings, conversation.id, utterance.id, utterance.text)


def check_text(settings: Settings, conversation: str, utterance: str, text: str | None) -> None:
    """Refuse the text of an utterance that is too long.

    Raises:
        Refusal: It is.
    """
    if len(text or "") > settings.characters:
        whose = f"utterance {quoted(utterance)} of conversation {quoted(conversation)}"
        raise beyond(settings, "characters", f"{whose} has {len(text or ''):,} characters")
