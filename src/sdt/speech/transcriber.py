"""The protocol of speech recognisers: from sound to words with times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Word
from sdt.errors import InputError

RATE = 16_000
"""Samples per second of the sound that recognisers hear."""

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recognised:
    """The words of a piece of sound."""

    words: Sequence[Word]
    """In order of time; seconds from the start of the piece. The text of a word has no spaces around it."""
    language: str
    """ISO 639-1."""


class Transcriber(Protocol):
    """A speech recogniser."""

    name: str
    """For messages: names the engine and the weights."""
    key: str
    """For caches: differs if the engine, the weights or the settings differ."""
    languages: Sequence[str]
    """The languages that it knows (ISO 639-1); one, if it knows only one."""

    def words(self, samples: Samples, language: str | None, *, quick: bool = False) -> Recognised:
        """Recognise the words of a piece of sound of some minutes.

        Args:
            samples: [n] at 16 kHz, in [-1, 1].
            language: One of `languages`; None to detect it.
            quick: Whether somebody waits for the words, as in live speech: time counts more than the last errors.
        """


def check_language(transcriber: Transcriber, language: str | None) -> None:
    """Check that a transcriber knows a language (ISO 639-1); None is detected.

    Raises:
        InputError: It does not.
    """
    known = transcriber.languages
    if language is not None and language not in known:
        shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise InputError(
            f"--language {language}: {transcriber.name} knows {shown}; name another --transcriber, such as base, which "
            "knows 99 languages"
        )
