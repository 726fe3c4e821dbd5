"""Reader of Deepgram's answers for recordings, `{"results": {"channels": [{"alternatives"}], "utterances"}}`.

Utterances are those of Deepgram (`utterances=true`), or else its sentences (`paragraphs=true`), or else its words,
divided by `parsing.word_groups`. Times are in seconds. The first alternative counts. Several channels are several
speakers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdt.conversation import Word
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.recognised import in_order, json_format, timed_word, turns_of_words
from sdt.formats.transcript import Turn

Spoken = list[tuple[str | None, Word]]


def is_deepgram(value: object) -> bool:
    """Whether a JSON value is an answer of Deepgram."""
    results = value.get("results") if isinstance(value, dict) else None
    channels = results.get("channels") if isinstance(results, dict) else None
    return isinstance(channels, list) and all(isinstance(one, dict) and "alternatives" in one for one in channels)


def read_deepgram(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A value has another type; the message names its place.
    """
    results = JsonNode(path, value)["results"]
    channels = list(results["channels"])
    several = len(channels) > 1
    if results["utterances"]:
        turns = [_utterance(one, several) for one in results["utterances"]]
    else:
        turns = [
            turn
            for number, channel in enumerate(channels)
            for best in list(channel["alternatives"])[:1]
            for turn in _alternative(best, number if several else None)
        ]
    return in_order(turns), []


def _utterance(node: JsonNode, several: bool) -> Turn:
    start, end = node["start"].seconds(), node["end"].seconds()
    check_times(node, start, end)
    channel = node["channel"].value if several else None
    speaker = _name(node["speaker"], channel)
    words = tuple(word for _, word in _words(node, channel))
    return Turn(0, node["transcript"].text(), speaker, start, end, words=words)


def _alternative(node: JsonNode, channel: int | None) -> list[Turn]:
    spoken = _words(node, channel)
    sentences = [
        (_name(paragraph["speaker"], channel), sentence)
        for paragraph in node["paragraphs"]["paragraphs"]
        for sentence in paragraph["sentences"]
    ]
    if not sentences:
        return turns_of_words(spoken)
    return list(_sentences(sentences, spoken))


def _sentences(sentences: list[tuple[str | None, JsonNode]], spoken: Spoken) -> Iterator[Turn]:
    """The sentences as turns, each with the words that start in it."""
    place = 0
    for speaker, node in sentences:
        start, end = node["start"].seconds(), node["end"].seconds()
        check_times(node, start, end)
        first = place
        while place < len(spoken) and (end is None or spoken[place][1].start < end):
            place += 1
        yield Turn(0, node["text"].text(), speaker, start, end, words=tuple(word for _, word in spoken[first:place]))


def _words(node: JsonNode, channel: object) -> Spoken:
    found: Spoken = []
    for one in node["words"]:
        text = one.first("punctuated_word", "word").text()
        word = timed_word(one, text, one["start"], one["end"], one["confidence"].probability())
        if word:
            found.append((_name(one["speaker"], channel), word))
    return found


def _name(speaker: JsonNode, channel: object) -> str | None:
    """The speaker within a channel; channels are only named if there are several."""
    name = speaker.speaker()
    if not isinstance(channel, int):
        return name
    return f"Channel {channel}, {name}" if name else f"Channel {channel}"


DEEPGRAM = json_format("deepgram", "Deepgram's JSON", is_deepgram, read_deepgram)
