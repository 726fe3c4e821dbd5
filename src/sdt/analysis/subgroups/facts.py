"""Facts about each annotated utterance: previous labels, position, length and missing modalities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.predicted import Place


@dataclass(frozen=True)
class Fact:
    """One annotated utterance."""

    label: str
    own_before: str | None
    """The label of the same speaker's last annotated utterance before it; None if there is none."""
    before: str | None
    """The label of the last annotated utterance before it, whoever spoke."""
    position: int
    """From 1; utterances without annotation count too."""
    words: int
    """Of its text, at white space; 0 if it has none."""
    speakers: int
    """Of the whole conversation."""
    lacks: tuple[str, ...]
    """The modalities that it has no features of."""


def facts(corpus: Corpus, places: Sequence[Place], modalities: Sequence[str]) -> list[Fact]:
    """Look up the annotated utterances that a system was tested on.

    Args:
        corpus: Where they come from.
        places: The utterances.
        modalities: Those that the system looks at.

    Returns:
        One for each of the places.

    Raises:
        InputError: The corpus has no such utterance, or no annotation of it.
    """
    wanted = dict.fromkeys(conversation for conversation, _ in places)
    found: dict[Place, Fact] = {}
    for id in wanted:
        if id not in corpus.conversations:
            raise InputError(f"{corpus.folder}: has no conversation {id!r}; the predictions are of another corpus")
        found |= _of_conversation(corpus, corpus.conversations[id], modalities)
    for conversation, utterance in places:
        if (conversation, utterance) not in found:
            raise InputError(
                f"{corpus.folder}: conversation {conversation!r} has no annotated utterance {utterance!r}; the "
                "predictions are of another corpus"
            )
    return [found[place] for place in places]


def _of_conversation(corpus: Corpus, conversation: Conversation, modalities: Sequence[str]) -> dict[Place, Fact]:
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
