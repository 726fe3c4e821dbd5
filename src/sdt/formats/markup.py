"""The text of subtitle cues: tags, entities, dialogue dashes, and the mark of an emotion that this program writes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import get_args

from sdt.conversation import Prediction, Review, Utterance

_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>")
# A voice, class, italic or font tag, a karaoke time stamp; "I <3 you" and "a < b" are none.
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
# Bounded, since int() refuses thousands of digits; with the semicolon, since "R&not" is no entity.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_DASH = re.compile(r"(?:[-‐]\s?|[–—]\s)(?=[^\s\d\-‐–—])")
_CHANGE = re.compile(r"(?:^|(?<=\s))>>>?(?!>)")
# Brackets and backslashes of an emotion's name have a backslash before them. Bounded, so that matching is fast.
_NAME = r"(?:[^\[\]\\]|\\[\[\]\\]){1,400}"
_MARK = re.compile(
    rf"\[(?:no emotion|{_NAME} [01]\.\d\d|(?P<label>{_NAME}), (?P<how>corrected|confirmed|labelled))\](?:\s|$)"
)


def voices(markup: str) -> list[tuple[str | None, str]]:
    r"""Split a cue at its voice tags: (speaker, their markup); None for what no voice tag precedes.

    Example:
        >>> voices("<v Ann>Hi.</v>\n<v.loud Bob>Hey!")
        [('Ann', 'Hi.</v>\n'), ('Bob', 'Hey!')]
    """
    before, *rest = _VOICE.split(markup)
    parts: list[tuple[str | None, str]] = [(None, before)] if before.strip() or not rest else []
    return parts + [(plain(name).strip() or None, said) for name, said in zip(rest[::2], rest[1::2], strict=True)]


def plain(markup: str) -> str:
    """The text without tags and override codes, its entities as characters."""
    bare = _OVERRIDE.sub("", _TAG.sub("", markup))
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), bare)


def dialogue(lines: Sequence[str]) -> list[list[str]]:
    """Split a cue's lines where a dash at their beginning says that someone else speaks; the dashes are removed.

    Example:
        >>> dialogue(["- Where is", "it?", "- Here."])
        [['Where is', 'it?'], ['Here.']]
    """
    turns: list[list[str]] = []
    for line in map(str.strip, lines):
        dash = _DASH.match(line)
        if dash or not turns:
            turns.append([line[dash.end() :] if dash else line])
        else:
            turns[-1].append(line)
    return turns


def changes_of_speaker(text: str) -> list[str]:
    """Split captions where `>>` says that somebody else speaks: what stands before the first, then each part.

    Example:
        >>> changes_of_speaker(">> Who? >> Me.")
        ['', 'Who?', 'Me.']
    """
    return [part.strip() for part in _CHANGE.split(text)]


def mark(said: Utterance, prediction: Prediction) -> str:
    """How an emotion is shown at the beginning of a cue.

    A label with how it came about (`[sadness, corrected]`, `[joy, confirmed]`, `[joy, labelled]`); where there is no
    label, the model's emotion with its probability (`[joy 0.83]`).
    """
    if said.label:
        return f"[{_escaped(said.label)}, {said.review or 'labelled'}]"
    if prediction.emotion is None:
        return "[no emotion]"
    return f"[{_escaped(prediction.emotion)} {prediction.probability:.2f}]"


def unmarked(text: str) -> tuple[bool, str | None, Review | None, str]:
    """Take away the mark that `mark` or the service's page wrote before a cue's text.

    Returns:
        Whether there is one; the label (None where the mark holds the model's emotion alone); its review; and the text
        without the mark.
    """
    found = _MARK.match(text)
    if not found:
        return False, None, None, text
    label = found["label"] and re.sub(r"\\(.)", r"\1", found["label"])
    reviews: tuple[Review, ...] = get_args(Review)
    review = next((review for review in reviews if review == found["how"]), None)
    return True, label, review, text[found.end() :]


def escape_webvtt(text: str) -> str:
    """Text as a WebVTT cue holds it."""
    return _braces(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def escape_srt(text: str) -> str:
    """Text as an SRT cue holds it. Few players know entities: only what would be read as markup is written as one."""
    text = _ENTITY.sub(lambda entity: "&amp;" + entity[0][1:], text)
    return _braces(text.replace("<", "&lt;") if _TAG.search(text) else text)


def _escaped(name: str) -> str:
    return re.sub(r"[\[\]\\]", r"\\\g<0>", name)


def _braces(text: str) -> str:
    return text.replace("{\\", "&#123;\\")
