"""The words of an utterance with their times, as JSON: `{"text": "Hi", "start": 0.1, "end": 0.4, "probability": 0.9}`.

Also as Whisper and its relatives write them: `word` instead of `text`, `score` or `confidence` instead of
`probability`, and without times for what could not be aligned, such as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.transcript import tidy
from sdt.json_values import is_finite

MOST = 10_000
"""Words of an utterance."""


def word_records(words: Sequence[Word]) -> list[dict[str, object]]:
    """The words as JSON objects; times are rounded to 1 ms."""
    return [
        {
            "text": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            **({} if word.probability is None else {"probability": round(word.probability, 4)}),
            **({"overlapped": True} if word.overlapped else {}),
        }
        for word in words
    ]


def read_words(where: str, value: object, start: float | None = None, end: float | None = None) -> tuple[Word, ...]:
    """Read the words of an utterance.

    Args:
        where: The file and line, for messages.
        value: A list of objects; None for no words.
        start: The start of the utterance in seconds, for words without times.
        end: Its end.

    Raises:
        InputError: The value is not such a list, or a time is not valid.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(one, Mapping) for one in value):
        raise InputError(f"{where}: words {quoted(value)} is not a list of at most {MOST:,} objects")
    spans = [(_seconds(where, one.get("start")), _seconds(where, one.get("end"))) for one in value]
    found: list[Word] = []
    last = start
    for number, (one, (begins, ends)) in enumerate(zip(value, spans, strict=True)):
        text = tidy(str(one.get("text", one.get("word")) or ""))
        if not text:
            continue
        if begins is None or ends is None:  # between the words around it
            following = next((later for later, _ in spans[number + 1 :] if later is not None), end)
            begins = last if last is not None else following
            ends = following if following is not None else begins
        if begins is None or ends is None:
            raise InputError(f"{where}: the word {quoted(text)} has no times, and no word around it has any")
        if ends < begins:
            raise InputError(f"{where}: the word {quoted(text)} ends at {ends}, before its start at {begins}")
        probability = _seconds(where, one.get("probability", one.get("score", one.get("confidence"))))
        found.append(Word(text, begins, ends, probability, one.get("overlapped") is True))
        last = ends
    return tuple(found)


def _seconds(where: str, value: object) -> float | None:
    if value is None:
        return None
    if not is_finite(value) or not isinstance(value, int | float) or value < 0:
        raise InputError(f"{where}: {quoted(value)} of a word is not a number from 0 on")
    return float(value)
