"""Where an utterance ends in a stream of words: at changes of speaker, ends of sentences and pauses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sdt.conversation import Word

PAUSE = 0.6
"""Seconds without a word that end an utterance."""
SENTENCE_PAUSE = 0.05
"""Seconds without a word that end an utterance after the end of a sentence."""
LONGEST_WORDS, LONGEST_SECONDS = 60, 20.0
"""Limits of an utterance without a pause; encoders of text read some 250 tokens."""
ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
"""How the last word of a sentence ends."""
CLAUSE = (",", ";", ":", "、", "，", "；")
"""Where an utterance that is too long is cut rather than elsewhere."""
UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""A character class of scripts without spaces between words: kana and Chinese characters."""
_BETWEEN_UNSPACED = re.compile(rf"(?<=[{UNSPACED}、。，！？；：])\s+(?=[{UNSPACED}])")

PAUSE_SECONDS = 0.5
"""Words of one speaker with a longer pause between them are in different utterances; see `group_words`."""

S = TypeVar("S", bound=str | None)


def group_words(words: Iterable[Word], pause: float = PAUSE_SECONDS) -> list[tuple[Word, ...]]:
    """Split the words of a speaker, in order of time, at pauses alone."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or word.start - groups[-1][-1].end > pause:
            groups.append([])
        groups[-1].append(word)
    return [tuple(group) for group in groups]


def split_words(spoken: Sequence[tuple[S, Word]]) -> list[list[tuple[S, Word]]]:
    """Split words into utterances: at changes of speaker, ends of sentences, pauses, and where they become too long.

    Args:
        spoken: (speaker, word) in order of time.
    """
    groups: list[list[tuple[S, Word]]] = []
    for speaker, word in spoken:
        if not groups or _ends(groups[-1], speaker, word):
            groups.append([])
        groups[-1].append((speaker, word))
    return [piece for group in groups for piece in _short_enough(group)]


def join_words(words: Sequence[Word]) -> str:
    """The words as a text, without spaces between Chinese characters or kana.

    Example:
        >>> join_words([Word("你", 0, 1), Word("好。", 1, 2), Word("Hi", 2, 3), Word("there", 3, 4)])
        '你好。 Hi there'
    """
    return close_up(" ".join(word.text for word in words))


def close_up(text: str) -> str:
    """The text without spaces between Chinese characters or kana."""
    return _BETWEEN_UNSPACED.sub("", text)


def _ends(group: Sequence[tuple[S, Word]], speaker: S, word: Word) -> bool:
    """Whether an utterance has ended before this word."""
    before_speaker, before = group[-1]
    gap = word.start - before.end
    return speaker != before_speaker or gap >= (SENTENCE_PAUSE if before.text.endswith(ENDS) else PAUSE)


def _short_enough(group: list[tuple[S, Word]]) -> list[list[tuple[S, Word]]]:
    """Cut a group of words that is too long, at the last clause or the longest pause of its middle half."""
    seconds = group[-1][1].end - group[0][1].start
    if len(group) < 2 or (len(group) <= LONGEST_WORDS and seconds <= LONGEST_SECONDS):
        return [group]
    places = range(max(1, len(group) // 4), max(2, 3 * len(group) // 4))
    place = max(
        places,
        key=lambda n: (
            group[n - 1][1].text.endswith((*ENDS, *CLAUSE)),
            group[n][1].start - group[n - 1][1].end,
            -abs(n - len(group) / 2),
        ),
    )
    return [*_short_enough(group[:place]), *_short_enough(group[place:])]
