"""Utterances from words with times, for formats that have nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from sdt.conversation import Word

PAUSE_SECONDS = 0.5
"""Words with a longer pause between them are in different utterances."""


def group_words(words: Iterable[Word], pause: float = PAUSE_SECONDS) -> list[tuple[Word, ...]]:
    """Split the words of a speaker, in order of time, at pauses."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or word.start - groups[-1][-1].end > pause:
            groups.append([])
        groups[-1].append(word)
    return [tuple(group) for group in groups]
