"""Properties of annotated utterances: previous labels, position, length and missing modalities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sdt.conversation import Conversation
from sdt.corpus.selection import UtteranceKey
from sdt.corpus.store import Corpus
from sdt.errors import InputError


@dataclass(frozen=True)
class Fact:
    """Properties of one annotated utterance."""

    label: str
    """The annotated label."""
    own_before: str | None
    """Label of the previous annotated utterance of the same speaker; None if there is none."""
    before: str | None
    """Label of the previous annotated utterance of any speaker; None if there is none."""
    position: int
    """Position in the conversation from 1, counting utterances without annotation."""
    words: int
    """Number of words, separated by white space; 0 without text."""
    speakers: int
    """Number of speakers of the conversation."""
    lacks: tuple[str, ...]
    """Missing modalities."""


def facts(corpus: Corpus, keys: Sequence[UtteranceKey], modalities: Sequence[str]) -> list[Fact]:
    """Look up properties of the annotated utterances of a system.

    Args:
        corpus: The corpus.
        keys: The utterances.
        modalities: The modalities of the system.

    Returns:
        The properties of each utterance, in order.

    Raises:
        InputError: The corpus does not have an utterance, or it is not annotated.
    """
    wanted = dict.fromkeys(conversation for conversation, _ in keys)
    found: dict[UtteranceKey, Fact] = {}
    for id in wanted:
        if id not in corpus.conversations:
            raise InputError(f"{corpus.folder}: conversation {id!r} not found; the predictions are of another corpus")
        found |= _of_conversation(corpus, corpus.conversations[id], modalities)
    for conversation, utterance in keys:
        if (conversation, utterance) not in found:
            raise InputError(
                f"{corpus.folder}: conversation {conversation!r} has no annotated utterance {utterance!r}; the "
                "predictions are of another corpus"
            )
    return [found[key] for key in keys]


def _of_conversation(corpus: Corpus, conversation: Conversation, modalities: Sequence[str]) -> dict[UtteranceKey, Fact]:
    rows = corpus.rows(conversation.id)
    present = {name: corpus.modalities[name].present[rows] for name in modalities}
    speakers = len({utterance.speaker for utterance in conversation.utterances})
    own: dict[str, str] = {}
    before: str | None = None
    found = {}
    for index, utterance in enumerate(conversation.utterances):
        if utterance.label is None:
            continue
        found[conversation.id, utterance.id] = Fact(
            label=utterance.label,
            own_before=own.get(utterance.speaker),
            before=before,
            position=index + 1,
            words=len((utterance.text or "").split()),
            speakers=speakers,
            lacks=tuple(name for name in modalities if not present[name][index]),
        )
        own[utterance.speaker] = before = utterance.label
    return found
