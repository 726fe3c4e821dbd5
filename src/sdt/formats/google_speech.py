"""Reader of the results of Google Cloud's Speech-to-Text, versions 1 and 2, in camelCase or snake_case.

| file                                                                 | as written by                        |
|----------------------------------------------------------------------|--------------------------------------|
| `{"results": [{"alternatives": [...]}]}`                             | both versions                        |
| `{"done": true, "response": {"results": [...]}}`                     | operations                           |
| `{"results": {"gs://...": {"inlineResult": {"transcript": ...}}}}`   | batches of version 2; one conversation a file |

A result is an utterance, divided where its speaker changes. Version 1 with diarization repeats all words, now with
speakers, in its last result: then these words, divided by `parsing.word_groups`, are the utterances. The first
alternative counts. A result without times of words has its end only, and starts where the one before it ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.format import Holds
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.parsing.word_groups import join_words
from sdt.formats.recognised import RECOGNISED, in_order, json_format, timed_word, turns_of_words
from sdt.formats.transcript import Turn

Spoken = list[tuple[str | None, Word]]


def is_google_speech(value: object) -> bool:
    """Whether a JSON value has results of Google's speech service."""
    if not isinstance(value, dict):
        return False
    answer = value.get("response", value)
    results = answer.get("results") if isinstance(answer, dict) else None
    if isinstance(results, dict):
        return bool(results) and all(isinstance(one, dict) and _OF_FILE & one.keys() for one in results.values())
    return (
        isinstance(results, list)
        and all(isinstance(one, dict) and _OF_RESULT & one.keys() for one in results)
        and any("alternatives" in one for one in results)
    )


_OF_FILE = {"transcript", "inlineResult", "inline_result", "cloudStorageResult", "cloud_storage_result"}
_OF_RESULT = {"alternatives", "resultEndTime", "result_end_time", "resultEndOffset", "result_end_offset"}


def read_google_speech(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: The results are in another file, or a value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    results = (root["response"] or root)["results"]
    if not isinstance(results.value, Mapping):
        return _results(results)
    turns: list[Turn] = []
    notes: list[str] = []
    for name in results.value:
        node = results[name]
        transcript = node["transcript"] or node.first("inlineResult", "inline_result")["transcript"]
        if not transcript and (stored := node.first("cloudStorageResult", "cloud_storage_result")):
            raise InputError(f"{node}: the results are in {quoted(stored['uri'].value)}; download that file")
        found, more = _results(transcript["results"])
        file = JsonNode(path, name, "results").text() or ""
        conversation = file.rsplit("/", 1)[-1].rsplit(".", 1)[0] if len(results.value) > 1 else None
        turns += [replace(turn, conversation=conversation) for turn in found]
        notes += more
    return turns, list(dict.fromkeys(notes))


def _results(results: JsonNode) -> tuple[list[Turn], list[str]]:
    parts = [(result, best) for result in results for best in list(result["alternatives"])[:1]]
    spoken = [_words(best) for _, best in parts]
    if len(spoken) > 1 and _repeats(spoken):
        return turns_of_words(spoken[-1]), []
    several = len({result.first("channelTag", "channel_tag").text() for result, _ in parts}) > 1
    turns: list[Turn] = []
    ends: dict[str | None, float] = {}
    unknown = 0
    for (result, best), words in zip(parts, spoken, strict=True):
        tag = result.first("channelTag", "channel_tag").text() if several else None
        channel = f"Channel {tag}" if tag else None
        text = best["transcript"].text()
        end = _time(result, "resultEndTime", "result_end_time", "resultEndOffset", "result_end_offset")
        if words:
            turns += _of_speakers(words, text, channel)
        elif text:
            start = ends.get(channel, 0.0) if end is not None else None
            check_times(result, start, end)
            unknown += end is not None
            turns.append(Turn(0, text, channel, start, end))
        if end is not None:
            ends[channel] = end
    note = f"results without times of words: {unknown}; each starts where the one before it ended"
    return in_order(turns), [note] if unknown else []


def _repeats(spoken: list[Spoken]) -> bool:
    """Whether the last result has the words of all results with their speakers, as in version 1."""
    *others, last = spoken
    first = next((words[0][1].start for words in others if words), None)
    return bool(last) and any(name for name, _ in last) and (
        not any(name for words in others for name, _ in words)
        and (first is None or last[0][1].start <= first)
    )  # fmt: skip


def _of_speakers(words: Spoken, text: str | None, channel: str | None) -> list[Turn]:
    """An utterance for each stretch of words of one speaker."""
    runs = [list(run) for _, run in itertools.groupby(words, key=lambda pair: pair[0])]
    turns = []
    for run in runs:
        own = tuple(word for _, word in run)
        spoken = text if len(runs) == 1 and text else join_words(own)
        speaker = ", ".join(filter(None, (channel, run[0][0]))) or None
        turns.append(Turn(0, spoken, speaker, own[0].start, max(word.end for word in own), words=own))
    return turns


def _words(best: JsonNode) -> Spoken:
    found: Spoken = []
    for one in best["words"]:
        text = (one["word"].text() or "").split("|")[0].strip("▁ ") or None  # Japanese words have a reading after a bar
        start, end = (_offset(one, f"{side}Time", f"{side}_time", f"{side}Offset", f"{side}_offset") for side in _SIDES)
        confidence = one["confidence"].probability() or None  # 0 is a value that is not set
        if word := timed_word(one, text, start, end, confidence):
            tag = one.first("speakerTag", "speaker_tag", "speakerLabel", "speaker_label").text()
            tag = None if tag == "0" else tag  # not set
            found.append((f"Speaker {tag}" if tag and tag.isdigit() else tag, word))
    return found


_SIDES = ("start", "end")


def _offset(node: JsonNode, *keys: str) -> JsonNode:
    """The offset under one of the keys, in seconds; 0 is not written."""
    found = node.first(*keys)
    return replace(found, value=_time(node, *keys) or 0.0)


def _time(node: JsonNode, *keys: str) -> float | None:
    """The duration under one of the keys: `1.300s`, or `{"seconds": 1, "nanos": 300000000}`."""
    found = node.first(*keys)
    if not isinstance(found.value, dict):
        return found.seconds()
    return round((found["seconds"].seconds() or 0.0) + (found["nanos"].seconds(1e-9) or 0.0), 6)


GOOGLE_SPEECH = json_format(
    "google", "Google Speech-to-Text's JSON", is_google_speech, read_google_speech, RECOGNISED | Holds.SEVERAL
)
