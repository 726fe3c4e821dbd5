"""Reader of Amazon Transcribe's JSON, of transcription jobs and of call analytics.

| file                                                             | utterances                               |
|------------------------------------------------------------------|------------------------------------------|
| `{"jobName", "results": {"items", "audio_segments"}}`            | the segments                             |
| the same without `audio_segments`, as of older jobs              | the items, divided by `word_groups`      |
| `{"Transcript": [{"ParticipantRole", "Content", "Items"}]}`      | the turns of the call                    |

The speaker of an item is its own `speaker_label`, or that of `speaker_labels` at its time, or its channel. Times are
seconds in texts; those of call analytics are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.recognised import in_order, json_format, timed_word, turns_of_words
from sdt.formats.transcript import Turn

_MS = 0.001
Spoken = tuple[str | None, Word]


def is_aws_transcribe(value: object) -> bool:
    """Whether a JSON value is the result of a job of Amazon Transcribe."""
    if not isinstance(value, dict):
        return False
    results, calls = value.get("results"), value.get("Transcript")
    if isinstance(results, dict):
        return "items" in results or "transcripts" in results
    return isinstance(calls, list) and all(isinstance(one, dict) and "ParticipantRole" in one for one in calls)


def read_aws_transcribe(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: The job is not finished, or a value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    if root["Transcript"]:
        return in_order([_call_turn(one) for one in root["Transcript"]]), []
    if (status := root["status"].text()) not in (None, "COMPLETED"):
        raise InputError(f"{path}: status {quoted(status)}: the job is not finished; download the result again")
    results = root["results"]
    speakers = _speakers_by_time(results["speaker_labels"])
    channels = list(results["channel_labels"]["channels"])
    if results["audio_segments"]:
        words = dict(_items(results["items"], speakers))
        return in_order([_segment(one, words) for one in results["audio_segments"]]), []
    if not channels:
        return turns_of_words([spoken for _, spoken in _items(results["items"], speakers)]), []
    turns = []
    for channel in channels:
        name = channel["channel_label"].text()
        turns += turns_of_words([(name, word) for _, (_, word) in _items(channel["items"], {})])
    return in_order(turns), []


def _speakers_by_time(labels: JsonNode) -> Mapping[tuple[str | None, str | None], str | None]:
    """(start, end) of an item, as the file writes them, to its speaker."""
    return {
        (item["start_time"].text(), item["end_time"].text()): item.first("speaker_label").text()
        or segment["speaker_label"].text()
        for segment in labels["segments"]
        for item in segment["items"]
    }


def _items(
    items: JsonNode, speakers: Mapping[tuple[str | None, str | None], str | None]
) -> Iterator[tuple[object, Spoken]]:
    """The id of each item that is a word, and the word with its speaker; punctuation belongs to the word before it."""
    last: tuple[object, Spoken] | None = None
    for number, one in enumerate(items):
        best = next(iter(one["alternatives"]), None)
        text = best["content"].text() if best else None
        if one["type"].value == "punctuation":
            if last and text:
                last = last[0], (last[1][0], replace(last[1][1], text=last[1][1].text + text))
            continue
        if last:
            yield last
        last = None
        start, end = one["start_time"], one["end_time"]
        word = timed_word(one, text, start, end, best["confidence"].probability() if best else None)
        if word:
            speaker = one["speaker_label"].text() or speakers.get((start.text(), end.text()))
            speaker = speaker or one["channel_label"].text()
            last = one["id"].value if one["id"] else number, (speaker, word)
    if last:
        yield last


def _segment(node: JsonNode, words: Mapping[object, Spoken]) -> Turn:
    start, end = node["start_time"].seconds(), node["end_time"].seconds()
    check_times(node, start, end)
    own = [words[item.value] for item in node["items"] if isinstance(item.value, int) and item.value in words]
    speaker = node.first("speaker_label", "channel_label").text() or next((name for name, _ in own), None)
    return Turn(0, node["transcript"].text(), speaker, start, end, words=tuple(word for _, word in own))


def _call_turn(node: JsonNode) -> Turn:
    start, end = node["BeginOffsetMillis"].seconds(_MS), node["EndOffsetMillis"].seconds(_MS)
    check_times(node, start, end)
    words: list[Word] = []
    for one in node["Items"]:
        text = one["Content"].text()
        if one["Type"].value == "punctuation":
            if words and text:
                words[-1] = replace(words[-1], text=words[-1].text + text)
            continue
        begins, ends = one["BeginOffsetMillis"], one["EndOffsetMillis"]
        if word := timed_word(one, text, begins, ends, one["Confidence"].probability(), _MS):
            words.append(word)
    return Turn(0, node["Content"].text(), node["ParticipantRole"].text(), start, end, words=tuple(words))


AWS_TRANSCRIBE = json_format("aws", "Amazon Transcribe's JSON", is_aws_transcribe, read_aws_transcribe)
