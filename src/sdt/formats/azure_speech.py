"""Reader of the results of Azure's speech service.

| file                                                                    | times                          |
|-------------------------------------------------------------------------|--------------------------------|
| batches: `{"recognizedPhrases": [{"nBest", "offsetInTicks"}]}`          | 100 ns, or `PT1.5S`            |
| fast transcription: `{"phrases": [{"text", "offsetMilliseconds"}]}`     | milliseconds                   |
| detailed results: `{"RecognitionStatus", "Offset", "NBest"}`, one, a list, or one a line | 100 ns        |

A phrase is an utterance. The first of the hypotheses counts, in its display form. Several channels are several
speakers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.parsing.json_records import json_line
from sdt.formats.recognised import RECOGNISED, in_order, timed_word, with_media
from sdt.formats.transcript import Transcript, Turn

_TICKS, _MS = 1e-7, 0.001
_ISO = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?", re.ASCII)
"""A duration of ISO 8601."""


def is_azure_speech(value: object) -> bool:
    """Whether a JSON value has results of Azure's speech service."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and "RecognitionStatus" in one for one in value)
    return isinstance(value, dict) and (
        bool({"recognizedPhrases", "combinedRecognizedPhrases", "combinedPhrases"} & value.keys())
        or {"RecognitionStatus", "Offset"} <= value.keys()
    )


def read_azure_speech(path: Path, value: object) -> Transcript:
    """Read a transcript.

    Args:
        path: The file, for error messages.
        value: The JSON value; a list if the file has detailed results.

    Raises:
        InputError: A value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    if isinstance(value, list):
        phrases = list(root)
    elif root["RecognitionStatus"]:
        phrases = [root]
    else:
        phrases = list(root.first("recognizedPhrases", "phrases"))
    several = len({phrase.first("channel", "Channel").text() for phrase in phrases}) > 1
    spoken = [phrase for phrase in phrases if _succeeded(phrase)]
    turns = [_phrase(phrase, several) for phrase in spoken]
    kept = [turn for turn in turns if turn.text]
    silent = len(phrases) - len(kept)
    notes = [f"phrases without recognised speech ignored: {silent}"] if silent else []
    return with_media(path, in_order(kept), notes, None if isinstance(value, list) else root["source"].text())


def _succeeded(phrase: JsonNode) -> bool:
    return phrase.first("recognitionStatus", "RecognitionStatus").text() in (None, "Success", "0")


def _phrase(phrase: JsonNode, several: bool) -> Turn:
    best = next(iter(phrase.first("nBest", "NBest")), phrase)
    text = best.first("display", "Display", "text", "DisplayText", "lexical", "Lexical").text()
    text = text or phrase["DisplayText"].text()
    start, end = _span(phrase)
    check_times(phrase, start.seconds(), end.seconds())
    channel = phrase.first("channel", "Channel").text() if several else None
    speaker = phrase.first("speaker", "SpeakerId", "Speaker").speaker()
    name = ", ".join(filter(None, (channel and f"Channel {channel}", speaker))) or None
    return Turn(0, text, name, start.seconds(), end.seconds(), words=_words(best))


def _words(best: JsonNode) -> tuple[Word, ...]:
    found = []
    for one in best.first("displayWords", "DisplayWords", "words", "Words"):
        text = one.first("displayText", "DisplayText", "word", "Word", "text").text()
        start, end = _span(one)
        if word := timed_word(one, text, start, end, one.first("confidence", "Confidence").probability()):
            found.append(word)
    return tuple(found)


def _span(node: JsonNode) -> tuple[JsonNode, JsonNode]:
    """The start and the end of a phrase or a word, in seconds."""
    sides = []
    for name in ("offset", "duration"):
        titled = name.capitalize()
        if one := node.first(f"{name}InTicks", titled):
            seconds = one.seconds(_TICKS)
        elif one := node[f"{name}Milliseconds"]:
            seconds = one.seconds(_MS)
        else:
            one = node[name]
            seconds = _iso_seconds(one)
        sides.append((one, seconds))
    (first, start), (second, length) = sides
    end = None if start is None or length is None else round(start + length, 6)
    return replace(first, value=start), replace(second, value=end)


def _iso_seconds(node: JsonNode) -> float | None:
    if not node:
        return None
    found = _ISO.fullmatch(node.value) if isinstance(node.value, str) else None
    if not found or node.value == "PT":
        raise node.error("a duration such as PT1M2.5S")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return round(3600 * hours + 60 * minutes + seconds, 6)


def _document(path: Path, decoded: Decoded) -> object:
    """The JSON value of the text, or the list of the objects of its lines."""
    if decoded.document is not None:
        return decoded.document
    lines = enumerate(decoded.text.split("\n"), start=1)
    return [dict(json_line(path, number, line)) for number, line in lines if line.strip()]


AZURE_SPEECH = Format(
    "azure",
    (".json",),
    lambda decoded: is_azure_speech(decoded.first_value),
    read=lambda path, decoded: read_azure_speech(path, _document(path, decoded)),
    title="Azure Speech's JSON",
    holds=RECOGNISED | Holds.MEDIA,
    exclusive=True,
    whole=True,
)
