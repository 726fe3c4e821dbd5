"""Language detection by py3langid: naive Bayes over byte sequences, offline and deterministic."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

FOREIGN = 0.001
"""A text is in a foreign language if all known languages have a probability below this. No text of MELD's 13,708
English utterances and 1,432 dialogues falls below it; of 36 sentences of five words in 19 other languages, 30 do."""
MAX_CHARACTERS = 5000
"""The number of characters that are analysed."""
SYMBOLS = ("So", "Sk", "Cf")
"""Unicode categories without a language: emoji with their modifiers, and invisible characters."""
ENGLISH_WORDS = frozenset(
    """
    about and are because been but can't could did didn't does doesn't doing don't from going got have he he's her his
    how i'll i'm i've it's just know let's like my not now of out right she she's should that that's the their there
    they they're think this though very was we're what when where who why will with would you you're your
    """.split()  # noqa: SIM905 - a word per line would fill a page
)
"""Frequent words of English that are rare in other languages."""
COMMON_WORDS = ENGLISH_WORDS | frozenset(
    """
    a all am an as at be do for go good has i if in is it me no oh on one or so to up we
    """.split()  # noqa: SIM905 - as above
)
"""Frequent words of English."""
COMMON_SHARE = 0.4
"""A text with this share of `COMMON_WORDS`, and one of `ENGLISH_WORDS` or "I am", is English: loading py3langid takes
0.4 s and 80 MB."""
CHUNK, MAX_CHUNKS = 1000, 20
"""Texts are classified in chunks of this many characters, and at most this many chunks."""


def foreign_language(text: str, known: Collection[str]) -> str | None:
    """Detect that a text is in none of the known languages.

    Args:
        text: The text.
        known: ISO 639-1 codes; if empty, no language is detected.

    Returns:
        The ISO 639-1 code; None if the text can be in a known language, or has no letters.

    Example:
        >>> foreign_language("Ich bin so wütend, warum hast du das getan?", ["en"])
        'de'
        >>> foreign_language("lol ok", ["en"])
    """
    text = "".join(" " if unicodedata.category(one) in SYMBOLS else one for one in text[:MAX_CHARACTERS])
    if not known or not any(map(str.isalpha, text)):
        return None
    if "en" in known and _is_plainly_english(text):
        return None
    ranks = _identifier().rank(text)
    return None if any(code in known and p >= FOREIGN for code, p in ranks) else str(ranks[0][0])


def most_likely_language(text: str) -> tuple[str, float]:
    """The ISO 639-1 code of a text's most likely language, and its probability."""
    code, probability = _identifier().rank(text[:MAX_CHARACTERS])[0]
    return str(code), float(probability)


def detect_languages(texts: Iterable[str]) -> tuple[str, ...]:
    """The ISO 639-1 codes of the languages of at least a tenth of the texts; empty if there is too little text."""
    whole = " ".join(texts)
    chunks = [chunk for at in range(0, len(whole), CHUNK) if len(chunk := whole[at : at + CHUNK]) > CHUNK // 2]
    chunks = chunks[:: max(1, len(chunks) // MAX_CHUNKS)]
    found = Counter(_identifier().classify(chunk)[0] for chunk in chunks)
    return tuple(sorted(code for code, count in found.items() if 10 * count >= len(chunks)))


def _is_plainly_english(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    if ENGLISH_WORDS.isdisjoint(words) and ("i", "am") not in itertools.pairwise(words):
        return False
    return sum(word in COMMON_WORDS for word in words) >= COMMON_SHARE * len(words)


@cache
def _identifier() -> Any:  # noqa: ANN401 - py3langid has no types
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
