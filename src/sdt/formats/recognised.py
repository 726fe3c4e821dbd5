"""What the files of speech recognisers have in common: utterances with words, or a stream of words with speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.json_nodes import JsonNode, check_times, required
from sdt.formats.parsing.word_groups import join_words, split_words
from sdt.formats.transcript import Transcript, Turn, assemble

RECOGNISED = (
    Holds.SPEAKERS | Holds.SPACES | Holds.TEXT | Holds.TIMES | Holds.OVERLAPS | Holds.WORDS | Holds.WORD_CONFIDENCES
)  # fmt: skip
"""What such files hold."""


def json_format(
    name: str,
    title: str,
    resembles: Callable[[object], bool],
    read: Callable[[Path, object], Transcript | tuple[list[Turn], list[str]]],
    holds: Holds = RECOGNISED,
) -> Format:
    """The entry of a format that is one JSON value, recognised by its keys.

    Args:
        name: The name of the format.
        title: The name for users.
        resembles: Whether a JSON value has the structure.
        read: Reads the value.
        holds: What it holds.
    """
    return Format(
        name,
        (".json",),
        lambda decoded: resembles(decoded.document),
        read=lambda path, decoded: read(path, decoded.document),
        title=title,
        holds=holds,
        exclusive=True,
        whole=True,
    )


def timed_word(
    node: JsonNode, text: str | None, start: JsonNode, end: JsonNode, probability: float | None, unit: float = 1
) -> Word | None:
    """The word of a node; None if it is empty.

    Raises:
        InputError: A time is missing or invalid, or the word ends before it starts.
    """
    if text is None:
        return None
    begins, ends = required(start, start.seconds(unit)), required(end, end.seconds(unit))
    check_times(node, begins, ends)
    return Word(text, begins, ends, probability)


def turns_of_words(spoken: Sequence[tuple[str | None, Word]]) -> list[Turn]:
    """Utterances of a stream of words in order of time, for services that do not divide it; see `split_words`."""
    return [
        Turn(
            number,
            join_words([word for _, word in group]),
            group[0][0],
            group[0][1].start,
            max(word.end for _, word in group),
            words=tuple(word for _, word in group),
        )
        for number, group in enumerate(split_words(spoken), start=1)
    ]


def in_order(turns: Sequence[Turn]) -> list[Turn]:
    """The turns of several channels in order of time, numbered from 1; turns without a start follow the one before."""
    last = 0.0
    keyed = []
    for turn in turns:
        last = last if turn.start is None else turn.start
        keyed.append((last, turn))
    ordered = sorted(keyed, key=lambda pair: pair[0])
    return [replace(turn, line=number) for number, (_, turn) in enumerate(ordered, start=1)]


def with_media(path: Path, turns: Sequence[Turn], notes: Sequence[str], media: str | None) -> Transcript:
    """The transcript of turns, whose conversation has this recording."""
    transcript = assemble(path, turns, notes)
    conversations = [replace(conversation, media=media) for conversation in transcript.conversations]
    return replace(transcript, conversations=conversations)
