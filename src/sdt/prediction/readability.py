"""Detection of text that a model cannot read: other languages, and text without letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdt.conversation import Conversation
from sdt.language import foreign_language
from sdt.media.problems import summarise
from sdt.text import is_blank

UNRELIABLE = "predictions from emoji and punctuation alone are unreliable"


class Readability:
    """Counts conversations and utterances that a model cannot read.

    Args:
        languages: The languages of the model as ISO 639-1 codes; empty if they are unknown.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = languages
        self._conversations = self._utterances = 0
        self._foreign: list[str] = []
        """The language of each conversation in another language."""
        self._without_letters: list[str] = []
        """The utterances with text that has no letters and digits: `dia1/3`."""

    def add(self, conversations: Iterable[Conversation]) -> None:
        """Check conversations."""
        for conversation in conversations:
            texts = [utterance.text or "" for utterance in conversation.utterances]
            self._conversations += 1
            self._utterances += len(texts)
            self._without_letters += [
                f"{conversation.id}/{utterance.id}"
                for utterance, text in zip(conversation.utterances, texts, strict=True)
                if has_no_letters(text)
            ]
            if code := foreign_language(" ".join(texts), self._languages):
                self._foreign.append(code)

    @property
    def notes(self) -> list[str]:
        """Notes for the user, one line each."""
        notes = []
        if self._foreign:
            share = f"{len(self._foreign)} of {self._conversations} conversations"
            where = "the transcript" if self._conversations == 1 else share
            notes.append(foreign_note(where, sorted(set(self._foreign)), self._languages))
        if self._without_letters:
            notes.append(
                f"{len(self._without_letters)} of {self._utterances} utterances have no letters "
                f"({summarise(self._without_letters)}); {UNRELIABLE}"
            )
        return notes


def readability_notes(languages: Sequence[str], conversations: Iterable[Conversation]) -> list[str]:
    """Notes about text that a model cannot read, one line each; see `Readability`."""
    found = Readability(languages)
    found.add(conversations)
    return found.notes


def has_no_letters(text: str) -> bool:
    """Whether a text is not blank, but has no letters and digits."""
    return not is_blank(text) and not any(map(str.isalnum, text))


def foreign_note(where: str, found: Sequence[str], languages: Sequence[str]) -> str:
    """A note about text in languages that the model was not trained on."""
    return (
        f"{where}: the language seems to be {' or '.join(found)}, but the model was trained on {', '.join(languages)}; "
        "its predictions are unreliable"
    )
