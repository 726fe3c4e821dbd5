"""The lines of utterances.jsonl: from a conversation, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, described, quoted

FILE = "utterances.jsonl"


def lines_of(conversation: Conversation) -> Iterator[str]:
    """A line of JSON for each utterance, with its end."""
    for utterance in conversation.utterances:
        line: dict[str, object] = {
            "conversation": conversation.id,
            "utterance": utterance.id,
            "speaker": utterance.speaker,
        }
        for key in ("label", "text", "start", "end"):
            if (value := getattr(utterance, key)) is not None:
                line[key] = value
        yield json.dumps(line, ensure_ascii=False) + "\n"


def utterance_of(path: Path, number: int, text: bytes, labels: Sequence[str]) -> tuple[str, Utterance]:
    """The conversation's id and the utterance of a line.

    Args:
        path: The file, for messages.
        number: The line's, from 1.
        text: The line.
        labels: The corpus' label names.

    Raises:
        InputError: It is not what `lines_of` makes, or the label is no label of the corpus.
    """
    try:
        line = json.loads(text.decode("utf-8"))
        for key, value in line.items():
            kinds = int | float if key in ("start", "end") else str
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise TypeError(f"{key} is {quoted(value)}")
        id = line.pop("conversation")
        utterance = Utterance(id=line.pop("utterance"), **line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}, line {number}: damaged ({described(error)}); import the corpus again") from None
    if utterance.label is not None and utterance.label not in labels:
        raise InputError(
            f"{path}, line {number}: conversation {quoted(id)}, utterance {quoted(utterance.id)} has the label "
            f"{quoted(utterance.label)}, which corpus.json does not name; import the corpus again"
        )
    return id, utterance
