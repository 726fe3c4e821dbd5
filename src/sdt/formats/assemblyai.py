"""Reader of AssemblyAI's transcripts, `{"audio_url", "status", "words", "utterances"}`, and of their sentences.

Utterances are those of AssemblyAI (`speaker_labels` or `multichannel`), sentences or paragraphs of their own files, or
else the words, divided by `parsing.word_groups`. Times are in milliseconds.
"""

from __future__ import annotations

from pathlib import Path

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.format import Holds
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.recognised import RECOGNISED, in_order, json_format, timed_word, turns_of_words, with_media
from sdt.formats.transcript import Transcript, Turn

_MS = 0.001
_UTTERANCES = ("utterances", "sentences", "paragraphs")
_OWN = {"audio_url", "audio_duration", "language_model", "acoustic_model", "speech_model"}


def is_assemblyai(value: object) -> bool:
    """Whether a JSON value is a transcript of AssemblyAI."""
    return isinstance(value, dict) and bool(_OWN & value.keys()) and bool({"words", *_UTTERANCES} & value.keys())


def read_assemblyai(path: Path, value: object) -> Transcript:
    """Read a transcript.

    Raises:
        InputError: The transcription failed or is not finished, or a value has another type; the message names its
            place.
    """
    root = JsonNode(path, value)
    status = root["status"].text()
    if status == "error":
        raise InputError(f"{path}: AssemblyAI could not transcribe the recording: {quoted(root['error'].value)}")
    if status not in (None, "completed"):
        raise InputError(f"{path}: status {quoted(status)}: the transcription is not finished; download it again")
    listed = root.first(*_UTTERANCES)
    turns = in_order([_utterance(one) for one in listed]) if listed else turns_of_words(_words(root))
    return with_media(path, turns, [], root["audio_url"].text())


def _utterance(node: JsonNode) -> Turn:
    start, end = node["start"].seconds(_MS), node["end"].seconds(_MS)
    check_times(node, start, end)
    words = tuple(word for _, word in _words(node))
    return Turn(0, node["text"].text(), _speaker(node), start, end, words=words)


def _words(node: JsonNode) -> list[tuple[str | None, Word]]:
    found = []
    for one in node["words"]:
        word = timed_word(one, one["text"].text(), one["start"], one["end"], one["confidence"].probability(), _MS)
        if word:
            found.append((_speaker(one), word))
    return found


def _speaker(node: JsonNode) -> str | None:
    """The speaker, called `Speaker A`; channels are numbers in texts."""
    name = node["speaker"].text()
    if name and len(name) == 1:
        return f"Speaker {name}"
    channel = node["channel"].text()
    return name or (f"Channel {channel}" if channel else None)


ASSEMBLYAI = json_format("assemblyai", "AssemblyAI's JSON", is_assemblyai, read_assemblyai, RECOGNISED | Holds.MEDIA)
