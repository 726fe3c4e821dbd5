"""Reader of Rev's JSON: `{"speakers": [{"id", "name"}], "monologues": [{"speaker", "elements"}]}`.

An element is a word (`text`, with `ts` and `end_ts` in seconds) or punctuation (`punct`, with the spaces). Words are
divided at changes of speaker, ends of sentences and pauses (see `parsing.word_groups`); a monologue without times of
words is an utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Word
from sdt.formats.parsing.json_nodes import JsonNode
from sdt.formats.recognised import json_format, timed_word, turns_of_words
from sdt.formats.transcript import Turn, tidy


def is_rev(value: object) -> bool:
    """Whether a JSON value is a transcript of Rev."""
    return isinstance(value, dict) and isinstance(value.get("monologues"), list)


def read_rev(path: Path, value: object) -> tuple[list[Turn], list[str]]:
    """Read the turns, and notes.

    Raises:
        InputError: A value has another type; the message names its place.
    """
    root = JsonNode(path, value)
    names = {one["id"].text(): one["name"].text() for one in root["speakers"]}
    turns = [turn for monologue in root["monologues"] for turn in _monologue(monologue, names)]
    return [replace(turn, line=number) for number, turn in enumerate(turns, start=1)], []


def _monologue(node: JsonNode, names: Mapping[str | None, str | None]) -> list[Turn]:
    speaker = names.get(node["speaker"].text()) or node["speaker"].speaker()
    words: list[Word] = []
    whole = ""
    timed = True
    for one in node["elements"]:
        text = one["value"].value
        if not isinstance(text, str) or (text.strip() and one["value"].text() is None):
            raise one["value"].error("text")
        whole += text
        if one["type"].value != "text":
            if words and text.strip() and not text[:1].isspace():
                words[-1] = replace(words[-1], text=words[-1].text + text.strip())
            continue
        timed = timed and bool(one["ts"]) and bool(one["end_ts"])
        word = (
            timed_word(one, one["value"].text(), one["ts"], one["end_ts"], one["confidence"].probability())
            if timed
            else None
        )
        if word:
            words.append(word)
    if timed and words:
        return turns_of_words([(speaker, word) for word in words])
    return [Turn(0, tidy(whole), speaker)] if whole.strip() else []


REV = json_format("rev", "Rev's JSON", is_rev, read_rev)
