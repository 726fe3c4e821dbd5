"""Reader of FunASR's results: of `AutoModel.generate`, of its runtime service, and of SenseVoice.

| file                                                                           | utterances                         |
|--------------------------------------------------------------------------------|------------------------------------|
| `[{"key", "text", "sentence_info": [{"text", "start", "end", "spk"}]}]`        | the sentences                      |
| `[{"key", "text", "timestamp": [[start, end], ...]}]`                          | the words, divided by `word_groups` |
| `{"text", "stamp_sents": [{"text_seg", "punc", "start", "end", "ts_list"}]}`   | the sentences                      |

Times are in milliseconds. There is a time for each Chinese character and each word of other scripts; where their number
is not that of the text, there are no words. Several recordings are several conversations, named by `key`. SenseVoice's
tags (`<|en|><|HAPPY|>`) are removed from the text; its emotions are annotations by `SenseVoice`, not labels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Annotation, Word
from sdt.formats.format import Holds
from sdt.formats.parsing.json_nodes import JsonNode, check_times
from sdt.formats.parsing.notices import ignored_note
from sdt.formats.parsing.word_groups import UNSPACED, close_up
from sdt.formats.recognised import RECOGNISED, json_format, turns_of_words
from sdt.formats.transcript import Turn, tidy

_MS = 0.001
_TAG = re.compile(r"<\|([^|<>]{0,40})\|>")
_EMOTIONS = ("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED")
_TOKEN = re.compile(rf"(?:[{UNSPACED}]|[^\W_{UNSPACED}][^\s{UNSPACED}]*)[^\w\s]*")
"""What has a time of its own, with the punctuation after it."""
_SENTENCES = {"sentence_info", "stamp_sents"}


def is_funasr(value: object) -> bool:
    """Whether a JSON value is a result of FunASR."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(
        isinstance(one, dict)
        and "text" in one
        and (bool(_SENTENCES & one.keys()) or {"key", "timestamp"} <= one.keys() or one.keys() == {"key", "text"})
        for one in items
    )


def read_funasr(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    items = list(root) if isinstance(value, list) else [root]
    turns: list[Turn] = []
    for node in items:
        name = node["key"].text() if len(items) > 1 else None
        turns += [replace(turn, conversation=name) for turn in _recording(node)]
    turns = [_untagged(replace(turn, line=number)) for number, turn in enumerate(turns, start=1)]
    notes = ignored_note("sentences without text", [turn.line for turn in turns if not turn.text])
    return [turn for turn in turns if turn.text], notes


def _untagged(turn: Turn) -> Turn:
    """A turn without SenseVoice's tags in its text, and its emotion as an annotation."""
    text = turn.text or ""
    emotions = (tag.lower() for tag in _TAG.findall(text) if tag in _EMOTIONS)
    annotations = tuple(Annotation("SenseVoice", emotion) for emotion in emotions)
    return replace(turn, text=tidy(_TAG.sub(" ", text)) or None, annotations=annotations[:1])


def _recording(node: JsonNode) -> list[Turn]:
    if sentences := node.first("sentence_info", "stamp_sents"):
        return [_sentence(one) for one in sentences]
    text, times = node["text"].text(), _times(node["timestamp"])
    words = _words(text, times)
    if words:
        return turns_of_words([(None, word) for word in words])
    start, end = (times[0][0], times[-1][1]) if times else (None, None)
    return [Turn(0, text, None, start, end)]


def _sentence(node: JsonNode) -> Turn:
    text = node.first("text", "sentence").text()
    if node["text_seg"]:
        text = close_up(f"{node['text_seg'].text() or ''}{node['punc'].text() or ''}")
    start, end = node["start"].seconds(_MS), node["end"].seconds(_MS)
    check_times(node, start, end)
    words = _words(text, _times(node.first("timestamp", "ts_list")))
    return Turn(0, text, node["spk"].speaker(), start, end, words=words)


def _times(node: JsonNode) -> list[tuple[float, float]]:
    """Pairs of start and end; the runtime service writes them as a text that is JSON."""
    if isinstance(node.value, str):
        try:
            node = replace(node, value=json.loads(node.value))
        except (ValueError, RecursionError):
            raise node.error("a list of [start, end]") from None
    pairs = []
    for one in node:
        times = [time.seconds(_MS) for time in one]
        if len(times) != 2 or times[0] is None or times[1] is None:
            raise one.error("[start, end]")
        check_times(one, times[0], times[1])
        pairs.append((times[0], times[1]))
    return pairs


def _words(text: str | None, times: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    tokens = _TOKEN.findall(_TAG.sub(" ", text or ""))
    if len(tokens) != len(times):
        return ()
    return tuple(Word(token, start, end) for token, (start, end) in zip(tokens, times, strict=True))


FUNASR = json_format(
    "funasr",
    "FunASR's JSON",
    is_funasr,
    read_funasr,
    RECOGNISED & ~Holds.WORD_CONFIDENCES | Holds.SEVERAL | Holds.ANNOTATORS,
)
