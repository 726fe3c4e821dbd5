"""Reader of the JSON of Whisper and the programs around it, and writer of the same structure.

| file                                                                 | written by                                    |
|----------------------------------------------------------------------|-----------------------------------------------|
| `{"segments": [{"start", "end", "text", "words", "speaker"}]}`       | Whisper, WhisperX, OpenAI's service           |
| the list of segments alone                                           | faster-whisper                                |
| `{"transcription": [{"offsets": {"from", "to"}, "text", "tokens"}]}` | whisper.cpp, in milliseconds                  |
| `{"chunks": [{"timestamp": [start, end], "text"}]}`, also `speakers` | pipelines of transformers                     |
| `{"text", "words": [{"word", "start", "end"}]}`                      | OpenAI's service with times of words alone    |

A segment is an utterance; chunks that are words, and words without segments, are divided by `parsing.word_groups`.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.formats.cues import timed_rows
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.json_nodes import JsonNode, check_times, required
from sdt.formats.parsing.notices import remove_sounds
from sdt.formats.parsing.words import read_words
from sdt.formats.recognised import RECOGNISED, turns_of_words
from sdt.formats.transcript import Transcript, Turn, tidy

_MS = 0.001
_SEGMENT = {"start", "end", "text"}
_OF_WHISPER = {"tokens", "avg_logprob", "no_speech_prob", "seek", "compression_ratio"}
_SPECIAL = re.compile(r"\[_[A-Z]+_?\d*\]|<\|[^|]*\|>")
"""A token that is not text."""
WRITER = "sdt-erc"
_LONGEST_WORD = 1.0
"""The largest median duration in seconds of chunks that are words."""


def is_whisper(value: object) -> bool:
    """Whether a JSON value has the structure that Whisper or whisper.cpp writes."""
    return isinstance(value, dict) and (
        _listed(value.get("segments"), _SEGMENT) or _listed(value.get("transcription"), {"offsets", "text"})
    )


def resembles_whisper(value: object) -> bool:
    """Whether a JSON value has any of the structures of the table above."""
    if isinstance(value, list):
        return bool(value) and _listed(value, _SEGMENT) and all(_OF_WHISPER & one.keys() for one in value)
    return is_whisper(value) or (
        isinstance(value, dict)
        and (
            _listed(value.get("chunks"), {"timestamp", "text"})
            or ("text" in value and bool(value.get("words")) and _listed(value["words"], {"word", "start", "end"}))
        )
    )


def _listed(values: object, keys: set[str]) -> bool:
    return isinstance(values, list) and all(isinstance(one, dict) and keys <= one.keys() for one in values)


def read_whisper(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    if isinstance(value, dict) and value.get("written_by") == WRITER:
        return [_own_segment(number, one) for number, one in enumerate(root["segments"], start=1)], []
    if isinstance(value, list):
        turns = [_segment(number, one) for number, one in enumerate(root, start=1)]
    elif root["segments"]:
        turns = [_segment(number, one) for number, one in enumerate(root["segments"], start=1)]
        turns = _with_words(turns, root["words"])
    elif root["transcription"]:
        turns = _of_whisper_cpp(root["transcription"])
    elif root["speakers"] or root["chunks"]:
        turns = _chunks(root.first("speakers", "chunks"))
    else:
        turns = turns_of_words([(None, word) for word in read_words(str(root["words"]), root["words"].value)])
    spoken, sounds = remove_sounds([turn for turn in turns if turn.text])
    return spoken, sounds


def _segment(number: int, node: JsonNode) -> Turn:
    start, end = node["start"].seconds(), node["end"].seconds()
    check_times(node, start, end)
    words = node["words"].value
    if isinstance(words, list):  # old versions of faster-whisper have lists: start, end, word, probability
        words = [dict(zip(_OF_WORD, one, strict=False)) if isinstance(one, list) else one for one in words]
    found = read_words(str(node["words"]), words, start, end)
    return Turn(number, node["text"].text(), node["speaker"].speaker(), start, end, words=found)


def _own_segment(number: int, node: JsonNode) -> Turn:
    """A segment that this program wrote; its id can be a text."""
    return replace(_segment(number, node), id=node["id"].text())


_OF_WORD = ("start", "end", "word", "probability")


def _with_words(turns: Sequence[Turn], node: JsonNode) -> list[Turn]:
    """Give each segment the words of a list for all segments, by the middle of the word, if segments have none."""
    if not node or any(turn.words for turn in turns):
        return list(turns)
    words = read_words(str(node), node.value)
    return [replace(turn, words=tuple(word for word in words if _is_within(word, turn))) for turn in turns]


def _is_within(word: Word, turn: Turn) -> bool:
    return turn.start is not None and turn.end is not None and turn.start <= (word.start + word.end) / 2 < turn.end


def _of_whisper_cpp(segments: JsonNode) -> list[Turn]:
    """Segments in milliseconds; `speaker` is `?` if unknown, and `speaker_turn_next` marks a change after a segment."""
    turns: list[Turn] = []
    changed = False
    for number, node in enumerate(segments, start=1):
        start, end = (required(node["offsets"][side], node["offsets"][side].seconds(_MS)) for side in ("from", "to"))
        check_times(node["offsets"], start, end)
        text, speaker = node["text"].text(), node["speaker"].text()
        speaker = None if speaker == "?" else speaker
        turns.append(Turn(number, text, speaker, start, end, words=_words_of_tokens(node, text), changed=changed))
        changed = node["speaker_turn_next"].value is True
    return turns


def _words_of_tokens(node: JsonNode, text: str | None) -> tuple[Word, ...]:
    """Words of tokens, of which those that begin with a space begin a word; empty if they do not give the text."""
    words: list[tuple[str, float, float, list[float]]] = []
    for token in node["tokens"]:
        piece = token["text"].value
        if not isinstance(piece, str) or _SPECIAL.fullmatch(piece):
            continue
        start, end = (token["offsets"][side].seconds(_MS) for side in ("from", "to"))
        if start is None or end is None:
            return ()
        share = token["p"].probability()
        shares = [] if share is None else [share]
        if words and not piece.startswith(" "):
            before = words[-1]
            words[-1] = (before[0] + piece, before[1], max(end, before[2]), before[3] + shares)
        else:
            words.append((piece, start, max(start, end), shares))
    if " ".join(tidy(piece) for piece, *_ in words) != text:  # a character can be divided between tokens
        return ()
    return tuple(
        Word(tidy(piece), start, end, round(statistics.fmean(shares), 6) if shares else None)
        for piece, start, end, shares in words
        if piece.strip()
    )


def _chunks(chunks: JsonNode) -> list[Turn]:
    turns = []
    for number, node in enumerate(chunks, start=1):
        times = [one.seconds() for one in node["timestamp"]]
        if len(times) != 2:
            raise node["timestamp"].error("[start, end]")
        start, end = times
        check_times(node["timestamp"], start, end)
        turns.append(Turn(number, node["text"].text(), node["speaker"].speaker(), start, end))
    lengths = [turn.end - turn.start for turn in turns if turn.start is not None and turn.end is not None]
    if lengths and statistics.median(lengths) <= _LONGEST_WORD and not any(" " in (turn.text or "") for turn in turns):
        last = max(turn.end for turn in turns if turn.end is not None)
        return turns_of_words([(turn.speaker, _as_word(turn, last)) for turn in turns if turn.text])
    return turns


def _as_word(turn: Turn, last: float) -> Word:
    start = last if turn.start is None else turn.start
    return Word(turn.text or "", start, max(start, last) if turn.end is None else turn.end)


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """A file of one conversation, as Whisper and WhisperX write it; `written_by` tells the reader to keep everything.

    Raises:
        InputError: There are several conversations, or an utterance has no time.
    """
    segments = []
    for number, (start, end, utterance, _) in enumerate(timed_rows(transcript, path, "Whisper's JSON")):
        segment: dict[str, object] = {"id": number if utterance.id == str(number) else utterance.id}
        segment |= {"start": start, "end": end, "text": f" {tidy(utterance.text or '')}", "speaker": utterance.speaker}
        if utterance.words:
            segment["words"] = [_word_record(word) for word in utterance.words]
        segments.append(segment)
    text = "".join(str(segment["text"]) for segment in segments)
    value = {"text": text, "segments": segments, "written_by": WRITER}
    yield json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _word_record(word: Word) -> dict[str, object]:
    record: dict[str, object] = {"word": f" {word.text}", "start": word.start, "end": word.end}
    if word.probability is not None:
        record["probability"] = word.probability
    return record | ({"overlapped": True} if word.overlapped else {})


WHISPER = Format(
    "whisper",
    (".json",),
    lambda decoded: resembles_whisper(decoded.document),
    read=lambda path, decoded: read_whisper(path, decoded.document),
    write=write,
    title="JSON of Whisper, whisper.cpp, WhisperX, faster-whisper",
    holds=RECOGNISED | Holds.ORDER | Holds.TIES | Holds.IDS | Holds.INSTANTS,
    exclusive=True,
    whole=True,
)
