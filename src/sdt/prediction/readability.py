"""Detects text that a model cannot read: other languages, and text without letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sdt.conversation import Conversation
from sdt.language import foreign_language
from sdt.media.problems import summarise
from sdt.text import is_blank


class Readability:
    """Looks through conversations.

    Args:
        languages: What the model reads, as ISO 639-1 codes; empty if that is unknown.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = languages
        self._conversations = self._utterances = 0
        self._foreign: list[str] = []
        """The language of each conversation that is in another one."""
        self._wordless: list[str] = []
        """Each utterance whose text has no letter and no digit, `dia1/3`."""

    def add(self, conversations: Iterable[Conversation]) -> None:
        """Look at some more."""
        for conversation in conversations:
            texts = [utterance.text or "" for utterance in conversation.utterances]
            self._conversations += 1
            self._utterances += len(texts)
            self._wordless += [
                f"{conversation.id}/{utterance.id}"
                for utterance, text in zip(conversation.utterances, texts, strict=True)
                if is_wordless(text)
            ]
            if code := foreign_language(" ".join(texts), self._languages):
                self._foreign.append(code)

    @property
    def notes(self) -> list[str]:
        """Notes for the user, one line each."""
        notes = []
        if self._foreign:
            share = f"{len(self._foreign)} of {self._conversations} conversations"
            whose = "the transcript" if self._conversations == 1 else share
            notes.append(foreign_note(whose, sorted(set(self._foreign)), self._languages))
        if self._wordless:
            notes.append(
                f"{len(self._wordless)} of {self._utterances} utterances have no letter, and the model can read little "
                f"of emoji and punctuation ({summarise(self._wordless)})"
            )
        return notes


def word_notes(languages: Sequence[str], conversations: Iterable[Conversation]) -> list[str]:
    """What the user should know of some conversations, one line each; see `Readability`."""
    found = Readability(languages)
    found.add(conversations)
    return found.notes


def is_wordless(text: str) -> bool:
    """Whether there is text, but no letter and no digit in it."""
    return not is_blank(text) and not any(map(str.isalnum, text))


def foreign_note(whose: str, found: Sequence[str], languages: Sequence[str]) -> str:
    """How a note says that words are in languages in which the model was not trained."""
    return (
        f"{whose}: the language seems to be {' or '.join(found)}, but the model was trained on {', '.join(languages)}; "
        "expect little of its predictions"
    )
