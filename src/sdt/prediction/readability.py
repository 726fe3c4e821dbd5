"""Detection of text that a model cannot read: other languages, and text without letters.

Predictions for a conversation in another language get nearly equal probabilities, by a temperature. On 8,980 subtitles
of XED in German, Spanish, Finnish, French, Italian and Dutch (conversations of five; no neutral ones, 2026-12-01), the
bundled model is right about 2 %, with a mean probability of 73 %; the temperature with the lowest cross-entropy is the
highest that calibration allows (`python -m benchmarks.foreign`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sdt.conversation import Conversation, Prediction
from sdt.language import foreign_language
from sdt.media.problems import summarise
from sdt.text import is_blank

FOREIGN_TEMPERATURE = 10.0
"""Divides the logarithms of the probabilities for text in a language that the model was not trained on."""
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


def doubt_foreign(
    predictions: Sequence[Prediction], conversations: Sequence[Conversation], languages: Sequence[str]
) -> list[Prediction]:
    """The predictions of conversations, those of conversations in another language with `doubt`.

    Args:
        predictions: One for each utterance, in order.
        conversations: The conversations.
        languages: The languages of the model as ISO 639-1 codes; empty if they are unknown.
    """
    rest = iter(predictions)
    found: list[Prediction] = []
    for conversation in conversations:
        own = [next(rest) for _ in conversation.utterances]
        text = " ".join(utterance.text or "" for utterance in conversation.utterances)
        found += map(doubt, own) if foreign_language(text, languages) else own
    return found


def doubt(prediction: Prediction) -> Prediction:
    """A prediction with the same emotions and nearly equal probabilities."""
    branches = {name: None if of is None else _flatter(of) for name, of in prediction.branches.items()}
    return replace(prediction, probabilities=_flatter(prediction.probabilities), branches=branches)


def _flatter(probabilities: Mapping[str, float]) -> dict[str, float]:
    powers = {label: math.pow(share, 1 / FOREIGN_TEMPERATURE) for label, share in probabilities.items()}
    total = sum(powers.values())
    return {label: power / total for label, power in powers.items()}


def has_no_letters(text: str) -> bool:
    """Whether a text is not blank, but has no letters and digits."""
    return not is_blank(text) and not any(map(str.isalnum, text))


def foreign_note(where: str, found: Sequence[str], languages: Sequence[str]) -> str:
    """A note about text in languages that the model was not trained on."""
    return (
        f"{where}: the language seems to be {' or '.join(found)}, but the model was trained on {', '.join(languages)}; "
        "its predictions are unreliable"
    )
